/* preset.c - recipes/text.yaml inside the program: what `hone improve` does for a text when no recipe is given. */
#include "improve/improve.h"

__asm__(".section .rodata\n"
        ".global hn_recipe_text\n.hidden hn_recipe_text\n"
        "hn_recipe_text:\n.incbin \"recipes/text.yaml\"\n.byte 0\n"
        ".previous\n");
