// Undoing an attachment: for DEL, for an ADD that fails half-way, and for what a restart finds dead.
// Every step is fine with nothing to do.
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

#define NS_PER_US 1000

// The parts of its time, in their order.
enum release_lap {
	RELEASE_GRACE, // until no worker knows the port
	RELEASE_QUEUE, // for a thread of the pool
	RELEASE_LINK, // the device's or the vhost-user directory's removal
	RELEASE_DEVICE, // the driver's end
	RELEASE_FILE, // the attachment's
	RELEASE_LAP_COUNT
};

struct release {
	struct cni *cni;
	struct slot *slot;
	struct port *dev; // to be closed; owned
	bool delete_pod;
	char why[ATTACHMENT_WHY_MAX]; // of the thread pool's steps, "" if all went well
	uint64_t lap_began; // uv_hrtime
	uint64_t lap[RELEASE_LAP_COUNT]; // ns
	void (*done)(void *arg);
	void *arg;
};

static void lap(struct release *r, enum release_lap lap)
{
	uint64_t now = uv_hrtime();

	r->lap[lap] += now - r->lap_began;
	r->lap_began = now;
}

// Where the time went, in microseconds; bench/bench_add.py reads it.
static void log_laps(const struct release *r)
{
	static const char *const names[] = {"grace", "pool", "unlink", "close", "remove"};
	char text[256];
	size_t len = 0;

	static_assert(sizeof(names) / sizeof(names[0]) == RELEASE_LAP_COUNT);
	for (size_t i = 0; i < RELEASE_LAP_COUNT; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s=%" PRIu64, names[i],
			r->lap[i] / NS_PER_US);
	log_debug("detached '%s',%s", r->slot->key, text);
}

static void finish(struct release *r)
{
	struct slot *s = r->slot;
	void (*done)(void *arg) = r->done;
	void *arg = r->arg;

	s->made = s->on_disk = false;
	free(r);
	done(arg);
}

static void on_pod_deleted(void *arg, int err, const cJSON *, const char *message)
{
	struct release *r = arg;

	if (err < 0 && err != -ENOENT)
		(void)log_warn(err, "cannot delete Pod '%s/%s': %s", r->slot->a.namespace,
			r->slot->a.pod, message != NULL ? message : "no reason given");
	finish(r);
}

// Only the very Pod that was attached; a new one of that name is not ours to delete.
static void delete_pod(struct release *r)
{
	const struct attachment *a = &r->slot->a;
	const struct cni_conf *conf = &r->cni->conf;
	const struct object *pod =
		a->pod[0] != '\0' ? cache_get(conf->cache, KIND_POD, a->namespace, a->pod) : NULL;

	// In Kubernetes a Pod is not ours to delete at all.
	if (r->delete_pod && !conf->config->store_kube && pod != NULL &&
		strcmp(pod->meta.uid, a->uid) == 0)
		conf->store->ops->delete (
			conf->store, KIND_POD, a->namespace, a->pod, on_pod_deleted, r);
	else
		finish(r);
}

// A pod's link goes before its socket is closed: with the device the kernel unbinds the socket, and
// hurries the grace period for which closing a bound one waits.
static void unmake(void *arg)
{
	struct release *r = arg;
	const struct config *c = r->cni->conf.config;
	const struct slot *s = r->slot;

	lap(r, RELEASE_QUEUE);
	if (s->made && !s->a.vhost)
		(void)port_unmake(c, &s->a, r->why);
	lap(r, RELEASE_LINK);
	if (r->dev != NULL)
		r->dev->ops->close(r->dev);
	lap(r, RELEASE_DEVICE);
	if (s->made && s->a.vhost)
		(void)port_unmake(c, &s->a, r->why);
	lap(r, RELEASE_LINK);
	if (s->on_disk)
		(void)attachment_remove(c->state_dir, &s->a, r->why);
	lap(r, RELEASE_FILE);
}

static void on_unmade(void *arg)
{
	struct release *r = arg;

	if (r->why[0] != '\0')
		(void)log_warn(0, "'%s' leaves something behind: %s", r->slot->key, r->why);
	if (r->slot->made)
		log_laps(r);
	delete_pod(r);
}

static void on_retired(struct port *dev, void *arg)
{
	struct release *r = arg;

	r->dev = dev;
	lap(r, RELEASE_GRACE);
	if (!r->slot->made && !r->slot->on_disk && dev == NULL) {
		delete_pod(r);
	} else if (pool_run(r->cni->conf.loop, unmake, on_unmade, r) < 0) {
		unmake(r);
		on_unmade(r);
	}
}

void slot_release(
	struct cni *cni, struct slot *s, bool delete_pod, void (*done)(void *arg), void *arg)
{
	struct release *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		(void)log_err(-ENOMEM, "'%s' is not removed", s->key);
		done(arg);
		return;
	}
	*r = (struct release){.cni = cni,
		.slot = s,
		.delete_pod = delete_pod,
		.done = done,
		.arg = arg,
		.lap_began = uv_hrtime()};
	s->attached = false;
	if (s->port == VPORT_NONE) {
		struct port *dev = s->dev;

		s->dev = NULL;
		on_retired(dev, r);
		return;
	}
	uint16_t port = s->port;
	s->port = VPORT_NONE;
	fib_detach(cni->conf.fib, port, on_retired, r);
}

static void on_released(void *arg)
{
	struct op *op = arg;

	slot_take_back(op->cni, op->slot);
	op_reply(op, cJSON_CreateObject());
}

void del_begin(struct op *op)
{
	struct slot *s = op->slot;

	if (!s->attached) {
		// A process that was killed between making the link and noting it down may have left one.
		s->a = (struct attachment){0};
		attachment_host_ifname(
			op->request.container_id, op->request.ifname, s->a.host_ifname);
		s->made = true;
	}
	slot_release(op->cni, s, true, on_released, op);
}
