/* SPDX-License-Identifier: MIT */
/*
 * cmd_tunnels.c - make-tunnel, list-tunnels, close-tunnel.
 *
 * Called by dispatch.c; calls net/tunnel.c. Thread: the worker where the tunnel lives;
 * list-tunnels asks all of them, and names of users are looked up in a job thread.
 */
#include <config.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/handle.h"
#include "daemon/base/jobs.h"
#include "daemon/base/loop.h"
#include "daemon/base/placement.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/list_part.h"
#include "daemon/control/request.h"
#include "daemon/control/scatter.h"
#include "daemon/control/timestamp.h"
#include "daemon/control/tunnel_plan.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/tunnel.h"

/* ---- make-tunnel ---- */

/* Looks up the names in a plan. Owner: the job threads and the mailbox, as a job. */
struct name_search {
    struct job job; /* first: it comes back as this */
    struct tunnel_plan plan;
    bool is_good;
    struct error error;
    struct making *making; /* NULL: nobody wants it any more */
};

/* Owner: itself, until the tunnel is open. */
struct making {
    struct request *request;    /* NULL: nobody wants it any more */
    struct name_search *search; /* NULL: it is over */
    int64_t listener;           /* while its name is looked up */
    struct timer timer;
};

static void making_cancel(struct request *request, const struct error *why)
{
    struct making *making = request_state(request);
    struct sock *listener = sock_find(request_loop(request), making->listener);

    timer_stop(&making->timer);
    making->request = NULL;
    request_fail(request, why);
    if (making->search != NULL) {
        making->search->making = NULL;
        free(making);
    } else if (listener != NULL) {
        sock_close(listener, true); /* and `making` ends with it */
    }
}

static void making_ran_out(void *arg)
{
    struct making *making = arg;
    struct error error;

    (void)error_set(&error, ERROR_TIMEOUT, "the listener was not made in time");
    making_cancel(making->request, &error);
}

static void opened(void *arg, struct tunnel *tunnel, const struct error *error)
{
    struct making *making = arg;
    struct request *request = making->request;

    timer_stop(&making->timer);
    free(making);
    if (request == NULL) {
        CHECK(tunnel == NULL); /* the listener was closed */
        return;
    }
    if (error != NULL) {
        request_fail(request, error);
        return;
    }
    request_brings_sockets(request);
    struct writer *writer = request_reply(request);

    writer_result_int(writer, RESULT_MAKE_TUNNEL_TUNNEL, tunnel->handle);
    writer_result(writer, RESULT_MAKE_TUNNEL_LISTENER);
    writer_begin_object(writer);
    description_write(writer, tunnel->listener);
    writer_end_object(writer);
    request_finish(request);
}

static void search_free(struct job *job)
{
    struct name_search *search = (struct name_search *)job;

    tunnel_plan_fini(&search->plan);
    free(search);
}

static void search_work(struct job *job)
{
    struct name_search *search = (struct name_search *)job;

    search->is_good = tunnel_plan_find_names(&search->plan, &search->error);
}

static void search_done(struct job *job)
{
    struct name_search *search = (struct name_search *)job;
    struct making *making = search->making;

    if (making != NULL) {
        making->search = NULL;
        if (search->is_good) {
            tunnel_open(&search->plan, &making->listener, opened, making);
        } else {
            opened(making, NULL, &search->error);
        }
    }
    search_free(job);
}

static void search_start(struct making *making, const struct tunnel_plan *plan)
{
    struct name_search *search = MEM_NEW(struct name_search);

    search->job.may_hang = true; /* the system may ask other machines */
    search->job.work = search_work;
    search->job.done = search_done;
    search->job.drop = search_free;
    search->plan = *plan;
    search->making = making;
    making->search = search;
    jobs_submit(&search->job, loop_self());
}

static void make(struct request *request)
{
    double timeout = params_seconds(request_params(request), PARAM_MAKE_TUNNEL_TIMEOUT);
    struct tunnel_plan plan;
    struct error error;

    if (!tunnel_plan_read(&plan, request_params(request), request_caller(request),
                          &error)) {
        request_fail(request, &error);
        return;
    }
    struct making *making = MEM_NEW(struct making);

    making->request = request;
    request_wait(request, making_cancel, making);
    if (timeout >= 0) {
        timer_start(&making->timer, request_loop(request), timeout, making_ran_out,
                    making);
    }
    if (tunnel_plan_has_names(&plan)) {
        search_start(making, &plan);
    } else {
        tunnel_open(&plan, &making->listener, opened, making);
    }
}

void handle_make_tunnel(struct request *request)
{
    unsigned home = (unsigned)loop_number(request_loop(request));

    request_move(request, placement_near(home), make);
}

/* ---- list-tunnels ---- */

static void write_count(struct writer *writer, enum result_id id,
                        const _Atomic uint64_t *number)
{
    writer_result_int(writer, id, (int64_t)atomic_load(number));
}

static void write_places(struct writer *writer, const struct tunnel *tunnel)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct sockaddr_storage address;

    writer_result(writer, FIELD_LISTED_TUNNEL_LISTEN);
    if (tunnel->plan.listen.path != NULL) {
        writer_foreign(writer, tunnel->plan.listen.path,
                       strlen(tunnel->plan.listen.path));
    } else if (sock_local_address(tunnel->listener, &address)) {
        endpoint_text(&address, text);
        writer_text(writer, text);
    } else {
        writer_null(writer);
    }
    writer_result(writer, FIELD_LISTED_TUNNEL_CONNECT);
    writer_begin_array(writer);
    for (unsigned i = 0; i < tunnel->plan.n_targets; i++) {
        char place[DIAL_TEXT_SIZE];
        dial_plan_text(&tunnel->plan.targets[i], place);
        writer_foreign(writer, place, strlen(place));
    }
    writer_end_array(writer);
}

static void write_tunnel(struct writer *writer, const struct tunnel *tunnel)
{
    const struct tunnel_counts *counts = &tunnel->counts;
    char created[TIMESTAMP_SIZE];

    writer_result_int(writer, FIELD_LISTED_TUNNEL_TUNNEL, tunnel->handle);
    if (tunnel->plan.name != NULL) {
        writer_result_text(writer, FIELD_LISTED_TUNNEL_NAME, tunnel->plan.name);
    }
    write_places(writer, tunnel);
    write_count(writer, FIELD_LISTED_TUNNEL_CONNECTIONS, &counts->n_active);
    writer_result_int(writer, FIELD_LISTED_TUNNEL_MAX_CONNECTIONS,
                      tunnel->plan.max_connections);
    write_count(writer, FIELD_LISTED_TUNNEL_ACCEPTED, &counts->n_accepted);
    write_count(writer, FIELD_LISTED_TUNNEL_REFUSED, &counts->n_refused);
    write_count(writer, FIELD_LISTED_TUNNEL_FAILED, &counts->n_failed);
    write_count(writer, FIELD_LISTED_TUNNEL_CUT, &counts->n_cut);
    write_count(writer, FIELD_LISTED_TUNNEL_BYTES_IN, &counts->n_in);
    write_count(writer, FIELD_LISTED_TUNNEL_BYTES_OUT, &counts->n_out);
    writer_result_int(writer, FIELD_LISTED_TUNNEL_LISTENER, tunnel->listener->handle);
    description_write_owner(writer, &tunnel->plan.owner);
    writer_result_int(writer, FIELD_LISTED_TUNNEL_WORKER, tunnel->worker);
    timestamp_format(tunnel->created, created);
    writer_result_text(writer, FIELD_LISTED_TUNNEL_CREATED, created);
}

static void collect_tunnels(struct loop *loop, const struct caller *caller,
                            const void *question, void *memory)
{
    struct list_part *part = memory;
    const struct tunnel *tunnel;
    int64_t handle = 0;

    (void)question; /* list-tunnels has no parameters */
    while ((tunnel = handle_next(loop_handles(loop), handle, HANDLE_TUNNEL, &handle)) !=
           NULL) {
        if (caller->is_admin || tunnel->plan.owner.uid == caller->uid) {
            list_part_begin(part, handle);
            write_tunnel(&part->text, tunnel);
            list_part_end(part);
        }
    }
}

static void merge_tunnels(struct request *request, const void *question, void **parts,
                          unsigned n_parts)
{
    struct writer *writer = request_reply(request);

    (void)question;
    writer_result(writer, RESULT_LIST_TUNNELS_TUNNELS);
    writer_begin_array(writer);
    (void)list_merge(writer, parts, n_parts, SIZE_MAX); /* there is no next page */
    writer_end_array(writer);
    request_finish(request);
}

void handle_list_tunnels(struct request *request)
{
    static const struct scatter_plan plan = {
        .part_size = sizeof(struct list_part),
        .collect = collect_tunnels,
        .merge = merge_tunnels,
        .part_fini = list_part_fini,
    };

    scatter_start(request, &plan, NULL);
}

/* ---- close-tunnel ---- */

static void close_here(struct request *request)
{
    const struct params *params = request_params(request);
    int64_t handle = params_int(params, PARAM_CLOSE_TUNNEL_TUNNEL);
    struct tunnel *tunnel = tunnel_find(request_loop(request), handle);
    struct error error;

    if (tunnel == NULL) {
        error_set(&error, ERROR_NO_SUCH_TUNNEL, "no tunnel has the handle %lld",
                  (long long)handle);
        request_fail(request, &error);
        return;
    }
    if (!caller_may(request_caller(request), tunnel->plan.owner.uid, &error)) {
        request_fail(request, &error);
        return;
    }
    tunnel_close(tunnel, params_bool(params, PARAM_CLOSE_TUNNEL_ABORT));
    request_ok(request);
}

void handle_close_tunnel(struct request *request)
{
    int64_t handle = params_int(request_params(request), PARAM_CLOSE_TUNNEL_TUNNEL);
    unsigned worker = handle_worker(handle);

    /* A worker that does not exist has no such tunnel, as this one has not. */
    if (loop_of_worker(worker) == NULL) {
        close_here(request);
    } else {
        request_move(request, worker, close_here);
    }
}
