/*
 * The heap of this module: blocks of fixed sizes, each size with its list of free blocks, behind one
 * end that only grows. It depends on nothing but the calls made, so a copy of the memory taken at
 * one time and put back at another goes on in exactly the same way on every machine.
 */
#include "host.h"

#include <string.h>

#define HEAP_BYTES_MAX (128u << 20)
#define PAGE_BYTES 65536u
#define GROW_BYTES (1u << 20)
#define HEADER_BYTES 8u
#define SMALL_BYTES_MAX 512u
#define SMALL_SIZES 32u
#define SIZES (SMALL_SIZES + 8 * 20)

extern unsigned char __heap_base;

int64_t budget;
char *exchange;
size_t exchange_used;
int match_depth;
static size_t exchange_size;
static unsigned char *heap_end;
static void *free_blocks[SIZES];

typedef struct {
  uint32_t size_index;
  uint32_t unused;
} Header;

/* Up to 512 bytes in steps of 16, beyond that eight steps a doubling. */
static uint32_t size_index_of(size_t bytes) {
  if (bytes <= SMALL_BYTES_MAX) return bytes == 0 ? 0 : (bytes - 1) / 16;
  uint32_t last = bytes - 1;
  uint32_t shift = 31 - __builtin_clz(last) - 3;
  return SMALL_SIZES + (shift - 6) * 8 + ((last >> shift) & 7);
}

static size_t size_of(uint32_t index) {
  if (index < SMALL_SIZES) return (index + 1) * 16;
  uint32_t above = index - SMALL_SIZES;
  return (size_t)(8 + (above & 7) + 1) << (above / 8 + 6);
}

static void grow_to(unsigned char *end) {
  size_t have = __builtin_wasm_memory_size(0) * PAGE_BYTES;
  size_t need = (size_t)end;
  if (need <= have) return;
  size_t more = need - have > GROW_BYTES ? need - have : GROW_BYTES;
  /* The machine has no memory left: no answer would be the same on every node. */
  if (__builtin_wasm_memory_grow(0, (more + PAGE_BYTES - 1) / PAGE_BYTES) == (size_t)-1) {
    host_no_memory();
  }
}

void *malloc(size_t bytes) {
  if (bytes > HEAP_BYTES_MAX) return NULL;
  budget -= bytes >> 2;
  if (budget < -BUDGET_GRACE) return NULL;
  uint32_t index = size_index_of(bytes);
  void *block = free_blocks[index];
  if (block != NULL) {
    free_blocks[index] = *(void **)block;
    return block;
  }
  if (heap_end == NULL) heap_end = (unsigned char *)(((size_t)&__heap_base + 15) & ~(size_t)15);
  unsigned char *end = heap_end + HEADER_BYTES + size_of(index);
  if ((size_t)(end - &__heap_base) > HEAP_BYTES_MAX) return NULL;
  grow_to(end);
  Header *header = (Header *)heap_end;
  header->size_index = index;
  heap_end = end;
  return (unsigned char *)header + HEADER_BYTES;
}

static uint32_t *index_at(void *block) {
  return &((Header *)((unsigned char *)block - HEADER_BYTES))->size_index;
}

void free(void *block) {
  if (block == NULL) return;
  uint32_t index = *index_at(block);
  *(void **)block = free_blocks[index];
  free_blocks[index] = block;
}

void *realloc(void *block, size_t bytes) {
  if (block == NULL) return malloc(bytes);
  uint32_t index = *index_at(block);
  if (bytes <= HEAP_BYTES_MAX && size_index_of(bytes) == index) return block;
  void *moved = malloc(bytes);
  if (moved == NULL) return NULL;
  size_t old = size_of(index);
  memcpy(moved, block, old < bytes ? old : bytes);
  free(block);
  return moved;
}

void *calloc(size_t count, size_t size) {
  if (size != 0 && count > HEAP_BYTES_MAX / size) return NULL;
  void *block = malloc(count * size);
  if (block != NULL) memset(block, 0, count * size);
  return block;
}

/* Where the memory in use ends: what is beyond has no meaning. */
EXPORT(heap_end) void *heap_end_now(void) { return heap_end; }

/* Room for `bytes` in the exchange buffer, whose content is kept; NULL when memory is used up. */
char *exchange_room(size_t bytes) {
  if (bytes <= exchange_size) return exchange;
  size_t size = bytes < 4096 ? 4096 : bytes + bytes / 4;
  char *grown = realloc(exchange, size);
  if (grown == NULL) return NULL;
  exchange = grown;
  exchange_size = size;
  return exchange;
}

EXPORT(exchange_room) char *exchange_room_for_host(size_t bytes) { return exchange_room(bytes); }
EXPORT(exchange) char *exchange_now(void) { return exchange; }
EXPORT(exchange_used) size_t exchange_used_now(void) { return exchange_used; }
EXPORT(set_budget) void set_budget(double units) { budget = (int64_t)units; }
