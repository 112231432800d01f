/* SPDX-License-Identifier: MIT */
/*
 * fuzz_replay.c - main() of a fuzz target that is built without libFuzzer: replays its
 * corpus.
 *
 * Without arguments the corpus is tests/corpus/NAME for a target fuzz_NAME; each file is
 * a test case, which passes unless the target aborts. Arguments are files to replay
 * instead. Output as in unit.c.
 */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Defined by the target; libFuzzer prescribes name and type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_done;

static _Noreturn void give_up(const char *path)
{
    printf("Bail out! %s: %s\n", path, strerror(errno));
    exit(99);
}

static void replay(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = NULL;
    long size;

    if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) < 0) {
        give_up(path);
    }
    /* Exactly as large as the input, so that a byte too many is noticed. */
    data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        give_up(path);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    printf("ok %u - %s\n", ++n_done, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    fflush(stdout);
}

static void replay_corpus(const char *program)
{
    const char *source = getenv("SOCKD_SRCDIR");
    const char *name = strstr(program, "fuzz_");
    char folder[1024], path[2048];
    struct dirent *entry;
    DIR *directory;

    snprintf(folder, sizeof(folder), "%s/tests/corpus/%s", source ? source : ".",
             name ? name + 5 : program);
    directory = opendir(folder);
    if (!directory) {
        give_up(folder);
    }
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            replay(path);
        }
    }
    closedir(directory);
}

int main(int argc, char **argv)
{
    int i;

    if (argc > 1) {
        for (i = 1; i < argc; i++) {
            replay(argv[i]);
        }
    } else {
        replay_corpus(program_invocation_short_name);
    }
    printf("1..%u\n", n_done);
    return n_done > 0 ? 0 : 99;
}
