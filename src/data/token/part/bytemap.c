/* bytemap.c - GPT-2's printable stand-ins for bytes (Radford et al. 2019, bytes_to_unicode).
 *
 * Byte b is shown as itself where that is printable Latin-1, else as the next free code point from 256 on: 188 show themselves,
 * the other 68 become U+0100 … U+0143. So any bytes can stand in JSON as text, each as one character of one or two bytes. */
#include "data/token/part/part.h"

enum { HIDDEN = 68 };

static bool shows_itself(int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; }

/* The bytes that do not show themselves are 0…32, 127…160 and 173. */
uint32_t hn_stand_in(int b) {
    if (shows_itself(b)) return (uint32_t)b;
    return 256 + (uint32_t)(b <= 32 ? b : b <= 160 ? b - 127 + 33 : HIDDEN - 1);
}

int hn_stand_in_byte(uint32_t cp) {
    if (cp < 256) return shows_itself((int)cp) ? (int)cp : -1;
    if (cp >= 256 + HIDDEN) return -1;
    int k = (int)cp - 256;
    return k <= 32 ? k : k < HIDDEN - 1 ? k - 33 + 127 : 173;
}

void hn_show_bytes(hn_arena *a, const void *p, int64_t n, hn_buf *out) {
    const uint8_t *b = p;
    hn_vec_grow(a, out, 2 * n);
    for (int64_t i = 0; i < n; i++) out->n += hn_utf8_put(hn_stand_in(b[i]), (uint8_t *)out->v + out->n);
}

bool hn_unshow_bytes(const char *s, int64_t n, uint8_t *out, int64_t *m) {
    *m = 0;
    for (int64_t i = 0; i < n;) {
        uint32_t cp;
        i += hn_utf8_next((const uint8_t *)s + i, n - i, &cp);
        int byte = hn_stand_in_byte(cp);
        if (byte < 0) return false;
        out[(*m)++] = (uint8_t)byte;
    }
    return true;
}
