/* SPDX-License-Identifier: MIT */
/*
 * target.h - the process that is measured: start it, read its CPU time and memory, end
 * it.
 */
#ifndef SOCKD_TESTS_BENCH_TARGET_H
#define SOCKD_TESTS_BENCH_TARGET_H

#include <stdint.h>
#include <sys/types.h>

struct target {
    pid_t pid;
    char directory[64]; /* made for it, removed with it */
    char path[96];      /* of its control socket */
};

/* Starts sockd with `workers` threads, on CPU 0 when there is one worker and the machine
 * has more CPUs, and with `busy_poll` ("0": none). Returns when it answers. Aborts with a
 * message on failure. */
void target_start_sockd(struct target *target, const char *program, int workers,
                        const char *busy_poll);
/* Starts a process of the caller's making on CPU 0: `run` serves, with connections at
 * target->path too, and does not return. */
void target_start_child(struct target *target,
                        void (*run)(const struct target *target, void *arg), void *arg);
/* Starts the reference server (reference.h) on CPU 0. */
void target_start_reference(struct target *target);
void target_stop(struct target *target);

/* Nanoseconds of CPU that all threads of the process have used. */
uint64_t target_cpu_ns(const struct target *target);
/* Bytes of memory that are its own (Pss). */
uint64_t target_memory(const struct target *target);

/* A connection to its control socket; blocking. */
int target_connect(const struct target *target);
/* Binds the calling thread to a CPU, if the machine has it. */
void bind_to_cpu(int cpu);
/* Undoes it, for a child that inherited it. */
void unbind_cpus(void);

uint64_t now_ns(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
