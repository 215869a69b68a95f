/* attention_pairs.c - k and v packed for the products of attention in pairs of bf16 (attention.h): a task is a tile of keys of one head. */
#include "tensor/cpu/attention.h"

int64_t attention_packed_floats(const job *j, bool back) {
    return j->B * j->KV * j->key_tiles * ((back ? 2 : 1) * along_cells(j) + across_cells(j));
}
static void pack_tile(void *arg, int64_t tile, int worker) {
    const job *j = arg;
    int64_t s0 = tile % j->key_tiles * KB, kh = tile / j->key_tiles % j->KV, b = tile / j->key_tiles / j->KV, along = j->p->width * hn_pairs_cells(j->D);
    /* Keys past the row's length are not looked at: an odd depth is filled up with zeros, not with what they hold. */
    int64_t n = HN_MIN(KB, (j->lengths ? j->lengths[b] : j->S) - s0);
    const hone_tensor *k = j->c->in[1], *v = j->c->in[2];
    const hn_bf16 *ks = kv16_row(j, k, b, s0, kh), *vs = kv16_row(j, v, b, s0, kh);
    if (n <= 0) return;
    j->p->pack(j->k_along + tile * along_cells(j), along, ks, HONE_BF16, k->ld, true, n, j->D);
    if (j->v_along) j->p->pack(j->v_along + tile * along_cells(j), along, vs, HONE_BF16, v->ld, true, n, j->D);
    if (j->k_across) j->p->pack(j->k_across + tile * across_cells(j), j->p->width * (KB / 2), ks, HONE_BF16, k->ld, false, j->D, n);
    if (j->v_across) j->p->pack(j->v_across + tile * across_cells(j), j->p->width * (KB / 2), vs, HONE_BF16, v->ld, false, j->D, n);
}
/* Takes its memory from *scratch. */
void attention_pack(job *j, float **scratch, bool back) {
    int64_t tiles = j->B * j->KV * j->key_tiles;
    j->k_along = (uint32_t *)(void *)hn_take(scratch, tiles * along_cells(j));
    if (back) j->v_along = (uint32_t *)(void *)hn_take(scratch, tiles * along_cells(j));
    *(back ? &j->k_across : &j->v_across) = (uint32_t *)(void *)hn_take(scratch, tiles * across_cells(j));
    hn_cpu_run(j->c, (back ? 30.0 : 20.0) * (double)(j->B * j->S * j->KV * j->D), tiles, pack_tile, j);
}
