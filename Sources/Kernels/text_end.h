// Forgets what vectors.h and tiles.h define for one text.

#undef vector
#undef words
#undef wide
#undef wide_words
#undef EACH
#undef GET
#undef PUT
#undef TILE_COLUMNS
