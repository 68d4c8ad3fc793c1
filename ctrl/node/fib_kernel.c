// Desired and actual routes side by side; a job in the thread pool closes the gap a batch at a
// time, and starts again as long as there is one.
#include "ctrl/node/fib_kernel.h"

#include "ctrl/log.h"
#include "ctrl/node/nat.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#define BATCH 256
#define RETRY_MS 5000

const struct fib_kernel_ops fib_kernel_real = {
	.route_add = link_route_add,
	.route_del = link_route_del,
	.nat_set = nat_set,
	.nat_clear = nat_clear,
};

struct kernel_key {
	struct in6_addr ip;
	uint32_t len; // of the IPv6 form
};
static_assert(sizeof(struct kernel_key) == 20); // a hash key must not have padding

struct kernel_route {
	struct kernel_key key;
	uint32_t wanted; // by so many
	struct in6_addr src;
	bool actual; // the kernel has it
	struct in6_addr actual_src;
	bool failed; // and that was reported
	bool waits; // for the next retry
	UT_hash_handle hh;
};

// A step of a job: written by the loop, then by the thread, then read by the loop.
struct step {
	struct kernel_key key;
	bool add;
	struct in6_addr src;
	int err;
	char why[LINK_WHY_MAX];
};

struct nat {
	struct cidr *nat, *cluster; // owned
	size_t n_nat, n_cluster;
};

struct fib_kernel {
	const struct fib_kernel_ops *ops;
	char ifname[LINK_NAME_LEN];
	struct kernel_route *routes;
	uv_timer_t retry;
	uv_work_t work;
	bool working, closing, closed; // closed: the timer is
	struct step steps[BATCH]; // the job's, as the next three
	size_t n_steps;
	struct nat nat_now; // what it sets
	bool nat_in_job;
	int nat_err;
	char nat_why[LINK_WHY_MAX];
	struct nat nat_next; // what the next job is to set
	bool nat_pending, nat_waits, nat_failed, nat_set_once;
};

static void nat_free(struct nat *n)
{
	free(n->nat);
	free(n->cluster);
	*n = (struct nat){0};
}

static struct link_address prefix_of(const struct kernel_key *key)
{
	return (struct link_address){
		.ip = key->ip,
		.prefix_len = (uint8_t)(ip_is_v4(&key->ip) ? key->len - 96 : key->len),
	};
}

// ── The job ────────────────────────────────────────────────────────────────────────────────────

static void job(uv_work_t *work)
{
	struct fib_kernel *k = work->data;

	for (size_t i = 0; i < k->n_steps; i++) {
		struct step *s = &k->steps[i];
		const struct link_address prefix = prefix_of(&s->key);
		s->err = s->add ? k->ops->route_add(k->ifname, &prefix, &s->src, s->why)
				: k->ops->route_del(k->ifname, &prefix, s->why);
	}
	if (k->nat_in_job)
		k->nat_err = k->ops->nat_set(k->ifname, k->nat_now.nat, k->nat_now.n_nat,
			k->nat_now.cluster, k->nat_now.n_cluster, k->nat_why);
}

static bool differs(const struct kernel_route *r)
{
	if ((r->wanted > 0) != r->actual)
		return true;
	return r->actual && !IN6_ARE_ADDR_EQUAL(&r->src, &r->actual_src);
}

static void plan(struct fib_kernel *k)
{
	struct kernel_route *r, *tmp;

	k->n_steps = 0;
	HASH_ITER (hh, k->routes, r, tmp) {
		if (k->n_steps == BATCH)
			break;
		if (differs(r) && !r->waits)
			k->steps[k->n_steps++] = (struct step){
				.key = r->key,
				.add = r->wanted > 0,
				.src = r->src,
			};
	}
	k->nat_in_job = k->nat_pending && !k->nat_waits;
	if (k->nat_in_job) {
		nat_free(&k->nat_now);
		k->nat_now = k->nat_next;
		k->nat_next = (struct nat){0};
		k->nat_pending = false;
		k->nat_set_once = true;
	}
}

static void on_done(uv_work_t *work, int status);

static void start(struct fib_kernel *k)
{
	if (k->working || k->closing)
		return;
	plan(k);
	if (k->n_steps == 0 && !k->nat_in_job)
		return;
	k->working = uv_queue_work(k->retry.loop, &k->work, job, on_done) == 0;
}

static void on_retry(uv_timer_t *timer)
{
	struct fib_kernel *k = timer->data;
	struct kernel_route *r, *tmp;

	HASH_ITER (hh, k->routes, r, tmp)
		r->waits = false;
	k->nat_waits = false;
	start(k);
}

static void retry_later(struct fib_kernel *k)
{
	if (!uv_is_active((uv_handle_t *)&k->retry))
		(void)uv_timer_start(&k->retry, on_retry, RETRY_MS, 0);
}

static void step_done(struct fib_kernel *k, const struct step *s)
{
	struct kernel_route *r;

	HASH_FIND(hh, k->routes, &s->key, sizeof(s->key), r);
	if (r == NULL)
		return;
	if (s->err < 0) {
		if (!r->failed)
			(void)log_err(s->err, "%s", s->why);
		r->failed = true;
		r->waits = true;
		retry_later(k);
		return;
	}
	r->failed = false;
	r->actual = s->add;
	r->actual_src = s->src;
	if (!r->actual && r->wanted == 0) {
		HASH_DEL(k->routes, r);
		free(r);
	}
}

static void nat_done(struct fib_kernel *k)
{
	if (k->nat_err == 0) {
		k->nat_failed = false;
		return;
	}
	if (!k->nat_failed)
		(void)log_err(k->nat_err, "%s", k->nat_why);
	k->nat_failed = true;
	k->nat_waits = true;
	retry_later(k);
	if (!k->nat_pending) { // nothing newer came meanwhile
		k->nat_next = k->nat_now;
		k->nat_now = (struct nat){0};
		k->nat_pending = true;
	}
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

static void free_when_idle(struct fib_kernel *k)
{
	struct kernel_route *r, *tmp;
	char why[LINK_WHY_MAX];

	if (k->working || !k->closed)
		return;
	if (k->nat_set_once) {
		int ret = k->ops->nat_clear(why); // the loop has nothing else to do by now
		if (ret < 0)
			(void)log_warn(ret, "%s", why);
	}
	HASH_ITER (hh, k->routes, r, tmp) {
		HASH_DEL(k->routes, r);
		free(r);
	}
	nat_free(&k->nat_now);
	nat_free(&k->nat_next);
	free(k);
}

static void on_done(uv_work_t *work, int status)
{
	struct fib_kernel *k = work->data;

	k->working = false;
	if (k->closing) {
		free_when_idle(k);
		return;
	}
	if (status == 0) {
		for (size_t i = 0; i < k->n_steps; i++)
			step_done(k, &k->steps[i]);
		if (k->nat_in_job)
			nat_done(k);
	}
	start(k);
}

static void on_closed(uv_handle_t *handle)
{
	struct fib_kernel *k = handle->data;

	k->closed = true;
	free_when_idle(k);
}

int fib_kernel_new(uv_loop_t *loop, const char *ifname, const struct fib_kernel_ops *ops,
	struct fib_kernel **ret_k)
{
	struct fib_kernel *k = calloc(1, sizeof(*k));
	if (k == NULL)
		return -ENOMEM;

	k->ops = ops;
	(void)snprintf(k->ifname, sizeof(k->ifname), "%s", ifname);
	k->work.data = k;
	k->retry.data = k;
	int ret = uv_timer_init(loop, &k->retry);
	if (ret < 0) {
		free(k);
		return ret;
	}
	*ret_k = k;
	return 0;
}

void fib_kernel_free(struct fib_kernel *k)
{
	if (k == NULL)
		return;
	k->closing = true;
	uv_close((uv_handle_t *)&k->retry, on_closed);
}

// ── Wishes ─────────────────────────────────────────────────────────────────────────────────────

static struct kernel_route *find(const struct fib_kernel *k, const struct cidr *prefix)
{
	const struct kernel_key key = {.ip = cidr_first(prefix), .len = prefix->len};
	struct kernel_route *r;

	HASH_FIND(hh, k->routes, &key, sizeof(key), r);
	return r;
}

void fib_kernel_route_add(
	struct fib_kernel *k, const struct cidr *prefix, const struct in6_addr *src)
{
	struct kernel_route *r = find(k, prefix);

	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		if (r == NULL) {
			(void)log_err(-ENOMEM, "a route for the kernel");
			return;
		}
		r->key = (struct kernel_key){.ip = cidr_first(prefix), .len = prefix->len};
		HASH_ADD(hh, k->routes, key, sizeof(r->key), r);
	}
	r->wanted++;
	r->src = *src;
	start(k);
}

void fib_kernel_route_del(struct fib_kernel *k, const struct cidr *prefix)
{
	struct kernel_route *r = find(k, prefix);

	if (r == NULL || r->wanted == 0)
		return;
	r->wanted--;
	start(k);
}

static struct cidr *copy_cidrs(const struct cidr *from, size_t n)
{
	struct cidr *to = calloc(n + 1, sizeof(*to));

	if (to != NULL && n > 0)
		memcpy(to, from, n * sizeof(*to));
	return to;
}

void fib_kernel_nat(struct fib_kernel *k, const struct cidr *nat, size_t n_nat,
	const struct cidr *cluster, size_t n_cluster)
{
	struct nat next = {
		.nat = copy_cidrs(nat, n_nat),
		.cluster = copy_cidrs(cluster, n_cluster),
		.n_nat = n_nat,
		.n_cluster = n_cluster,
	};

	if (next.nat == NULL || next.cluster == NULL) {
		nat_free(&next);
		(void)log_err(-ENOMEM, "the kernel's NAT table stays as it was");
		return;
	}
	nat_free(&k->nat_next);
	k->nat_next = next;
	k->nat_pending = true;
	start(k);
}
