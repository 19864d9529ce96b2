// What tiles.h and vectors.h define for one text.

#undef vector
#undef TILE_COLUMNS
