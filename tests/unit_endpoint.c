/* SPDX-License-Identifier: MIT */
/*
 * unit_endpoint.c - addresses of sockets: daemon/net/endpoint, and the files of Unix
 * sockets: daemon/net/filename.
 */
#include <config.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/net/endpoint.h"
#include "daemon/net/filename.h"
#include "tests/unit.h"

static struct value_ip ip_of(const char *text)
{
    struct value_ip ip;

    if (!ipaddr_parse(&ip, text, strlen(text))) {
        UNIT_FAIL_NOW("%s is no address", text);
    }
    return ip;
}

static struct sockaddr_storage address_of(const char *text, uint16_t port)
{
    struct value_ip ip = ip_of(text);
    struct sockaddr_storage address;

    (void)endpoint_from_ip(&address, &ip, port);
    return address;
}

static void expect_text(const struct sockaddr_storage *address, const char *wanted)
{
    char text[ENDPOINT_TEXT_SIZE];

    endpoint_text(address, text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void test_ip(void)
{
    struct sockaddr_storage v4 = address_of("192.0.2.7", 80);
    struct sockaddr_storage v6 = address_of("2001:db8::1", 443);
    struct value_ip back;

    CU_ASSERT_EQUAL(v4.ss_family, AF_INET);
    CU_ASSERT_EQUAL(ntohl(((struct sockaddr_in *)&v4)->sin_addr.s_addr), 0xc0000207U);
    CU_ASSERT_EQUAL(endpoint_port(&v4), 80);
    CU_ASSERT_EQUAL(endpoint_size(&v4), sizeof(struct sockaddr_in));
    CU_ASSERT_EQUAL(v6.ss_family, AF_INET6);
    CU_ASSERT_EQUAL(endpoint_port(&v6), 443);
    CU_ASSERT_EQUAL(endpoint_size(&v6), sizeof(struct sockaddr_in6));
    CU_ASSERT_TRUE(endpoint_ip(&v6, &back));
    struct value_ip wanted = ip_of("2001:db8::1");
    CU_ASSERT_TRUE(ipaddr_equal(&back, &wanted, true));
    expect_text(&v4, "192.0.2.7:80");
    expect_text(&v6, "[2001:db8::1]:443");
}

static void test_wildcard(void)
{
    struct sockaddr_storage address;
    char host[IPADDR_TEXT_SIZE];

    CU_ASSERT_EQUAL(endpoint_any(&address, false, 1), sizeof(struct sockaddr_in));
    endpoint_host_text(&address, host);
    CU_ASSERT_STRING_EQUAL(host, "0.0.0.0");
    CU_ASSERT_EQUAL(endpoint_any(&address, true, 1), sizeof(struct sockaddr_in6));
    endpoint_host_text(&address, host);
    CU_ASSERT_STRING_EQUAL(host, "::");
}

static void test_scope_and_port(void)
{
    struct sockaddr_storage v4 = address_of("127.0.0.1", 1);
    struct sockaddr_storage v6 = address_of("fe80::1%1", 1);

    CU_ASSERT_EQUAL(((struct sockaddr_in6 *)&v6)->sin6_scope_id, 1);
    endpoint_set_scope(&v6, 77);
    CU_ASSERT_EQUAL(((struct sockaddr_in6 *)&v6)->sin6_scope_id, 77);
    endpoint_set_port(&v6, 65535);
    CU_ASSERT_EQUAL(endpoint_port(&v6), 65535);
    endpoint_set_scope(&v4, 77);
    expect_text(&v4, "127.0.0.1:1");
}

static void test_map(void)
{
    struct sockaddr_storage address = address_of("192.0.2.7", 80);
    struct sockaddr_storage wanted = address_of("::ffff:192.0.2.7", 80);

    endpoint_map(&address);
    CU_ASSERT_TRUE(endpoint_equal(&address, &wanted));
    endpoint_map(&address);
    CU_ASSERT_TRUE(endpoint_equal(&address, &wanted));
}

static void test_equal(void)
{
    struct sockaddr_storage a = address_of("fe80::1%1", 5),
                            b = address_of("fe80::1%1", 5);
    struct sockaddr_storage v4 = address_of("127.0.0.1", 5), path, other;

    CU_ASSERT_TRUE(endpoint_equal(&a, &b));
    endpoint_set_scope(&b, 2);
    CU_ASSERT_FALSE(endpoint_equal(&a, &b));
    b = a;
    endpoint_set_port(&b, 6);
    CU_ASSERT_FALSE(endpoint_equal(&a, &b));
    CU_ASSERT_FALSE(endpoint_equal(&a, &v4));
    CU_ASSERT_TRUE(endpoint_from_path(&path, "/a/b"));
    CU_ASSERT_TRUE(endpoint_from_path(&other, "/a/b"));
    CU_ASSERT_TRUE(endpoint_equal(&path, &other));
    CU_ASSERT_TRUE(endpoint_from_path(&other, "/a/c"));
    CU_ASSERT_FALSE(endpoint_equal(&path, &other));
}

static void test_path(void)
{
    struct sockaddr_storage address;
    char longest[108], path[ENDPOINT_PATH_SIZE];
    struct value_ip ip;

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CU_ASSERT_TRUE(endpoint_from_path(&address, longest));
    expect_text(&address, longest);
    CU_ASSERT_EQUAL(endpoint_port(&address), 0);
    CU_ASSERT_FALSE(endpoint_ip(&address, &ip));
    endpoint_path(&address, sizeof(struct sockaddr_un), path);
    CU_ASSERT_STRING_EQUAL(path, longest);
    CU_ASSERT_FALSE(endpoint_from_path(&address, ""));
    char too_long[109];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    CU_ASSERT_FALSE(endpoint_from_path(&address, too_long));
}

static void test_path_from_kernel(void)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    struct sockaddr_un *un = (struct sockaddr_un *)&address;
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    char path[ENDPOINT_PATH_SIZE];

    endpoint_path(&address, sizeof(sa_family_t), path);
    CU_ASSERT_STRING_EQUAL(path, "");
    endpoint_path(&address, 0, path);
    CU_ASSERT_STRING_EQUAL(path, "");
    /* Without a NUL at its end, as a name of full length comes. */
    memset(un->sun_path, 'y', sizeof un->sun_path);
    endpoint_path(&address, sizeof *un, path);
    CU_ASSERT_EQUAL(strlen(path), sizeof un->sun_path);
    memcpy(un->sun_path, "\0ab\0c", 5);
    endpoint_path(&address, (socklen_t)(start + 5), path);
    CU_ASSERT_STRING_EQUAL(path, "@ab@c");
}

/* ---- Files ---- */

static char directory[64];

static void make_directory(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/unit_endpoint.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        unit_bail_out("mkdtemp: %s", strerror(errno));
    }
}

static const char *path_of(const char *name)
{
    static char path[100];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int bind_at(struct filename *file, const char *name, int type, int *fd)
{
    const struct identity me = {.uid = geteuid(), .gid = getegid()};

    *fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_FATAL(*fd >= 0);
    memset(file, 0, sizeof *file);
    return filename_bind(file, *fd, path_of(name), &me);
}

static void test_file_is_made_and_removed(void)
{
    struct filename file;
    struct stat info;
    int fd;

    make_directory();
    CU_ASSERT_EQUAL(bind_at(&file, "s", SOCK_STREAM, &fd), 0);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), 0);
    CU_ASSERT_TRUE(S_ISSOCK(info.st_mode));
    filename_remove(&file);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), -1);
    filename_remove(&file);
    close(fd);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static void test_stale_is_replaced_live_is_not(void)
{
    struct filename old, new;
    int first, second;

    make_directory();
    for (unsigned i = 0; i < 2; i++) {
        int type = i == 0 ? SOCK_STREAM : SOCK_DGRAM;
        CU_ASSERT_EQUAL(bind_at(&old, "s", type, &first), 0);
        CU_ASSERT(type == SOCK_DGRAM || listen(first, 1) == 0);
        CU_ASSERT_EQUAL(bind_at(&new, "s", type, &second), -EADDRINUSE);
        close(second);
        close(first);
        free(old.path);
        CU_ASSERT_EQUAL(bind_at(&new, "s", type, &second), 0);
        filename_remove(&new);
        close(second);
    }
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* Somebody took the file away and made another: that one is not ours to remove. */
static void test_only_the_own_file_is_removed(void)
{
    struct filename old, new;
    struct stat info;
    int first, second;

    make_directory();
    CU_ASSERT_EQUAL(bind_at(&old, "s", SOCK_STREAM, &first), 0);
    CU_ASSERT_EQUAL(unlink(path_of("s")), 0);
    CU_ASSERT_EQUAL(bind_at(&new, "s", SOCK_STREAM, &second), 0);
    filename_remove(&old);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), 0);
    filename_remove(&new);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), -1);
    close(first);
    close(second);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static void test_other_files_stay(void)
{
    struct filename file;
    struct stat info;
    int fd;

    make_directory();
    FILE *plain = fopen(path_of("s"), "we");
    CU_ASSERT_FATAL(plain != NULL);
    fclose(plain);
    CU_ASSERT_EQUAL(bind_at(&file, "s", SOCK_STREAM, &fd), -EADDRINUSE);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), 0);
    close(fd);
    CU_ASSERT_EQUAL(bind_at(&file, "no/s", SOCK_STREAM, &fd), -ENOENT);
    close(fd);
    CU_ASSERT_EQUAL(unlink(path_of("s")), 0);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* Root that acts for another user has no more rights than he. */
static void test_rights_of_the_user(void)
{
    const struct identity nobody = {.uid = 65534, .gid = 65534};
    struct filename file = {0};
    struct sockaddr_storage address;
    struct stat info;

    if (geteuid() != 0) {
        unit_skip("only root can act for others");
        return;
    }
    make_directory();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(filename_bind(&file, fd, path_of("s"), &nobody), -EACCES);
    CU_ASSERT_TRUE(endpoint_from_path(&address, path_of("s")));
    CU_ASSERT_EQUAL(filename_connect(fd, &address, &nobody), -EACCES);
    CU_ASSERT_EQUAL(chmod(directory, 0777), 0);
    CU_ASSERT_EQUAL(filename_bind(&file, fd, path_of("s"), &nobody), 0);
    CU_ASSERT_EQUAL(stat(path_of("s"), &info), 0);
    CU_ASSERT_EQUAL(info.st_uid, 65534);
    filename_remove(&file);
    /* The rights are back. */
    CU_ASSERT_EQUAL(chmod(directory, 0700), 0);
    close(fd);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static const struct unit_test tests[] = {
    {"addresses go in and out", test_ip},
    {"wildcard addresses", test_wildcard},
    {"scope and port are set where they can be", test_scope_and_port},
    {"IPv4 is mapped once", test_map},
    {"equal means family, address, port and scope", test_equal},
    {"paths up to 107 bytes", test_path},
    {"paths as the kernel gives them", test_path_from_kernel},
    {"a socket file is made and removed", test_file_is_made_and_removed},
    {"a stale file is replaced, a live one refused", test_stale_is_replaced_live_is_not},
    {"only the own file is removed", test_only_the_own_file_is_removed},
    {"files that are no sockets stay", test_other_files_stay},
    {"file rights are those of the user", test_rights_of_the_user},
};
UNIT_MAIN(tests)
