/* fetch.h - one file over HTTP. Private to the app; the only door of hone to the network outwards. */
#ifndef HN_FETCH_H
#define HN_FETCH_H
#include "app/app.h"

typedef struct hn_fetch {
    const char *url;    /* http or https */
    const char *home;   /* the token is for this URL's origin (scheme, host, port) and goes nowhere else */
    const char *token;  /* NULL: none */
    const char *to;     /* file */
    const char *sha256; /* 64 hex digits, or NULL: unknown, unless the server tells it */
    int64_t size;       /* bytes; −1: unknown */
    bool hub;           /* the server's ETag may be a SHA-256, as the Hub's is */
    int64_t tries;
    double max_wait; /* seconds between two tries; a server that asks for more is given up */
} hn_fetch;
typedef struct hn_fetched {
    int64_t bytes, resumed; /* resumed: bytes that an earlier run had left */
    char sha256[65];
    bool verified, here; /* against a checksum; here: it lay there already, the same */
} hn_fetched;
bool hn_fetch_file(hn_arena *a, const hn_fetch *f, hn_fetched *out) HN_CHECK;
bool hn_fetch_bytes(hn_arena *a, const hn_fetch *f, int64_t max, hn_bytes *out) HN_CHECK; /* f->to is not used */
const char *hn_fetch_version(hn_arena *a);                                                /* NULL: built without libcurl */
#endif
