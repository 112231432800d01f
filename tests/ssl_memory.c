/* SPDX-License-Identifier: MIT */
/*
 * ssl_memory.c - an arena for all that OpenSSL allocates, and its own variables, which
 * come back together.
 *
 * What is kept lies in a file in memory, mapped privately over the arena: the kernel
 * tells which pages were written since, as they are no longer those of the file, and
 * these are copied. The state of the allocator lies in the arena, too. Calls libcrypto,
 * the dynamic linker, the kernel. Thread: there is one.
 */
#include <config.h>
#include "tests/ssl_memory.h"

#include <fcntl.h>
#include <link.h>
#include <openssl/crypto.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/check.h"

enum {
    ARENA_SIZE = 256 * 1024 * 1024,
    UNIT = 32,        /* of sizes */
    N_CLASSES = 1024, /* above, memory is not used again */
    MAX_AREAS = 8,
};

struct block {
    size_t size;
    struct block *next; /* while it is free */
    alignas(16) uint8_t bytes[];
};

/* At the front of the arena. */
struct arena {
    struct block *freed[N_CLASSES];
    size_t used;
};

/* Variables of a library. */
struct area {
    uint8_t *at, *copy;
    size_t size;
};

static uint8_t *memory;
static struct arena *arena;
static size_t kept; /* bytes; 0: nothing yet */
static uint8_t *saved;
static size_t page;
static int pagemap;      /* what the kernel says of each page */
static uint64_t *states; /* the same, read */
static struct area areas[MAX_AREAS];
static unsigned n_areas;

/* ---- The allocator ---- */

static size_t class_of(size_t size) { return (size + UNIT - 1) / UNIT; }

static void *take(size_t size, const char *file, int line)
{
    size_t class = class_of(size);

    (void)file, (void)line;
    if (size == 0) {
        return NULL;
    }
    if (class < N_CLASSES && arena->freed[class] != NULL) {
        struct block *block = arena->freed[class];
        arena->freed[class] = block->next;
        block->size = size;
        return block->bytes;
    }
    struct block *block = (struct block *)(void *)(memory + arena->used);

    arena->used += sizeof *block + class * UNIT;
    CHECK(arena->used <= ARENA_SIZE);
    block->size = size;
    return block->bytes;
}

static struct block *block_of(void *bytes)
{
    return (struct block *)(void *)((uint8_t *)bytes - offsetof(struct block, bytes));
}

static void give(void *bytes, const char *file, int line)
{
    (void)file, (void)line;
    /* What is kept comes back anyway, and as a page that was not written to it is cheap.
     */
    if (bytes == NULL || (uint8_t *)bytes < memory + kept) {
        return;
    }
    struct block *block = block_of(bytes);
    size_t class = class_of(block->size);

    if (class < N_CLASSES) {
        block->next = arena->freed[class];
        arena->freed[class] = block;
    }
}

static void *resize(void *bytes, size_t size, const char *file, int line)
{
    void *other = take(size, file, line);

    if (bytes != NULL && other != NULL) {
        size_t old = block_of(bytes)->size;
        memcpy(other, bytes, old < size ? old : size);
    }
    give(bytes, file, line);
    return other;
}

void ssl_memory_use(void)
{
    memory = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    arena = (struct arena *)(void *)memory;
    arena->used = (sizeof *arena + UNIT - 1) / UNIT * UNIT;
    CHECK(CRYPTO_set_mem_functions(take, resize, give) == 1);
}

/* ---- Variables ---- */

/* What the linker protects after its work does not change. */
static int note_areas(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t protected_end = 0;

    (void)size, (void)arg;
    if (strstr(info->dlpi_name, "libcrypto.so") == NULL &&
        strstr(info->dlpi_name, "libssl.so") == NULL) {
        return 0;
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            protected_end =
                info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        }
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        uintptr_t end = start + header->p_memsz;
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) == 0) {
            continue;
        }
        if (protected_end > start && protected_end <= end) {
            start = protected_end;
        }
        CHECK(n_areas < MAX_AREAS);
        areas[n_areas++] =
            (struct area){.at = (uint8_t *)start, .size = (size_t)(end - start)};
    }
    return 0;
}

/* ---- Keep and restore ---- */

static void *map(size_t size)
{
    void *bytes =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(bytes != MAP_FAILED);
    return bytes;
}

void ssl_memory_keep(void)
{
    int file = memfd_create("ssl", MFD_CLOEXEC);

    page = (size_t)sysconf(_SC_PAGESIZE);
    kept = (arena->used + page - 1) / page * page;
    saved = map(kept);
    memcpy(saved, memory, kept);
    CHECK(file >= 0 && ftruncate(file, (off_t)kept) == 0 &&
          pwrite(file, saved, kept, 0) == (ssize_t)kept &&
          mmap(memory, kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) ==
              memory);
    (void)close(file);
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    states = map(kept / page * sizeof *states);
    CHECK(pagemap >= 0);
    (void)dl_iterate_phdr(note_areas, NULL);
    for (unsigned i = 0; i < n_areas; i++) {
        areas[i].copy = map(areas[i].size);
        memcpy(areas[i].copy, areas[i].at, areas[i].size);
    }
}

void ssl_memory_restore(void)
{
    static const uint64_t in_memory = 3ULL << 62, of_file = 1ULL << 61;
    size_t n_pages = kept / page, size = n_pages * sizeof *states;
    off_t offset = (off_t)((uintptr_t)memory / page * sizeof *states);

    CHECK(pread(pagemap, states, size, offset) == (ssize_t)size);
    for (size_t i = 0; i < n_pages; i++) {
        if ((states[i] & in_memory) != 0 && (states[i] & of_file) == 0) {
            memcpy(memory + i * page, saved + i * page, page);
        }
    }
    for (unsigned i = 0; i < n_areas; i++) {
        memcpy(areas[i].at, areas[i].copy, areas[i].size);
    }
}
