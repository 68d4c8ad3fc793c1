// One request at a time; a timer for the next try and one for the deadline of renewal.
#include "ctrl/manager/election.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ctrl/log.h"
#include "ctrl/manager/lease.h"

#define LEASES_PATH "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
#define PATH_MAX_LEN (2 * NAME_MAX_LEN + 80)
// client-go's JitterFactor: a candidate waits for up to that many periods more.
#define JITTER_FACTOR 1.2
#define RELEASE_MS 2000 // as long as ending may wait for the Lease to be given up

struct election {
	uv_loop_t *loop;
	struct kube_client *client;
	struct election_conf conf; // with texts of its own
	struct lease lease;
	uv_timer_t retry, deadline;
	unsigned int n_handles;
	uint64_t sent_at;
	bool asking; // a request is under way
	bool waiting; // it was said that another leads
	bool over; // lost, or given up
	void (*released)(void *arg);
	void *released_arg;
};

static void step(struct election *e);

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void time_text(char text[LEASE_TIME_MAX])
{
	struct timespec now;
	struct tm tm;
	char seconds[24];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text, LEASE_TIME_MAX, "%s.%06ldZ", seconds, now.tv_nsec / 1000 % 1000000);
}

static void lease_path(const struct election *e, bool named, char path[PATH_MAX_LEN])
{
	int n = snprintf(path, PATH_MAX_LEN, LEASES_PATH, e->conf.namespace);

	if (named)
		(void)snprintf(path + n, PATH_MAX_LEN - (size_t)n, "/%s", e->conf.name);
}

// ── Between requests ───────────────────────────────────────────────────────────────────────────

static uint64_t jittered(uint64_t ms)
{
	uint16_t draw = 0;

	(void)getrandom(&draw, sizeof(draw), GRND_NONBLOCK);
	return ms + (uint64_t)((double)ms * JITTER_FACTOR * draw / UINT16_MAX);
}

static void end(struct election *e)
{
	e->over = true;
	(void)uv_timer_stop(&e->retry);
	(void)uv_timer_stop(&e->deadline);
}

// Whether it is over because we lost it.
static bool check_lost(struct election *e)
{
	if (e->over || !lease_lost(&e->lease, now_ms()))
		return e->over;
	end(e);
	(void)log_err(0, "leadership is lost: lease '%s/%s' is %s%s", e->conf.namespace,
		e->conf.name,
		strcmp(e->lease.seen.holder, e->conf.identity) == 0 ? "not renewed in time"
								    : "held by ",
		strcmp(e->lease.seen.holder, e->conf.identity) == 0 ? "" : e->lease.seen.holder);
	e->conf.lost(e->conf.arg);
	return true;
}

static void on_deadline(uv_timer_t *t)
{
	struct election *e = t->data;

	if (check_lost(e))
		return;
	uint64_t now = now_ms(), at = lease_deadline(&e->lease);
	(void)uv_timer_start(t, on_deadline, at > now ? at - now : 1, 0);
}

static void on_retry(uv_timer_t *t)
{
	step(t->data);
}

static void again_later(struct election *e)
{
	uint64_t ms = e->lease.leading ? e->conf.retry_ms : jittered(e->conf.retry_ms);

	if (!e->over)
		(void)uv_timer_start(&e->retry, on_retry, ms, 0);
}

// ── Requests ───────────────────────────────────────────────────────────────────────────────────

static void won(struct election *e, const cJSON *answer)
{
	bool led = e->lease.leading;

	lease_won(&e->lease, answer, e->sent_at, now_ms());
	if (!e->lease.leading || led)
		return;
	log_notice("leading: lease '%s/%s' is ours", e->conf.namespace, e->conf.name);
	(void)uv_timer_start(&e->deadline, on_deadline, e->conf.renew_deadline_ms, 0);
	e->conf.won(e->conf.arg);
}

static void on_written(void *arg, int status, const cJSON *answer, const char *message)
{
	struct election *e = arg;
	int err = kube_error(status, answer);

	e->asking = false;
	if (e->over)
		return;
	if (err == 0)
		won(e, answer);
	else if (err == -ESTALE || err == -EEXIST)
		e->lease.seen.version[0] = '\0'; // not what is there: to be read again
	else
		(void)log_warn(err, "cannot write lease '%s/%s': %s", e->conf.namespace,
			e->conf.name, message != NULL ? message : "");
	if (!check_lost(e))
		again_later(e);
}

static void write_lease(struct election *e, enum lease_step how)
{
	char path[PATH_MAX_LEN], time[LEASE_TIME_MAX];

	time_text(time);
	cJSON *obj = lease_object(&e->lease, how, e->conf.namespace, e->conf.name, time);
	lease_path(e, how != LEASE_CREATE, path);
	e->asking = true;
	kube_request(
		e->client, how == LEASE_CREATE ? "POST" : "PUT", path, NULL, obj, on_written, e);
	cJSON_Delete(obj);
}

static void on_read(void *arg, int status, const cJSON *answer, const char *message)
{
	struct election *e = arg;
	int err = kube_error(status, answer);

	e->asking = false;
	if (e->over)
		return;
	if (err == 0 || err == -ENOENT) {
		lease_saw(&e->lease, err == 0 ? answer : NULL, now_ms());
		enum lease_step next = lease_next(&e->lease, now_ms());
		if (!check_lost(e) && next != LEASE_WAIT) {
			write_lease(e, next);
			return;
		}
		if (!e->waiting && !e->over)
			log_notice("waiting: lease '%s/%s' is held by '%s'", e->conf.namespace,
				e->conf.name, e->lease.seen.holder);
		e->waiting = true;
	} else {
		(void)log_warn(err, "cannot read lease '%s/%s': %s", e->conf.namespace,
			e->conf.name, message != NULL ? message : "");
	}
	if (!check_lost(e))
		again_later(e);
}

static void step(struct election *e)
{
	char path[PATH_MAX_LEN];

	if (e->over || e->asking)
		return;
	e->sent_at = now_ms();
	if (e->lease.leading && e->lease.seen.version[0] != '\0') {
		write_lease(e, LEASE_RENEW); // what we wrote last is what is there, most likely
		return;
	}
	lease_path(e, true, path);
	e->asking = true;
	kube_request(e->client, "GET", path, NULL, NULL, on_read, e);
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

int election_open(uv_loop_t *loop, struct kube_client *client, const struct election_conf *conf,
	struct election **ret_election)
{
	struct election *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->loop = loop;
	e->client = client;
	e->conf = *conf;
	e->conf.namespace = strdup(conf->namespace);
	e->conf.name = strdup(conf->name);
	e->conf.identity = strdup(conf->identity);
	if (e->conf.namespace == NULL || e->conf.name == NULL || e->conf.identity == NULL)
		abort(); // a program that starts
	lease_init(&e->lease, &(struct lease_conf){.identity = e->conf.identity,
				      .duration_ms = conf->lease_ms,
				      .renew_deadline_ms = conf->renew_deadline_ms});
	(void)uv_timer_init(loop, &e->retry);
	(void)uv_timer_init(loop, &e->deadline);
	e->retry.data = e->deadline.data = e;
	(void)uv_timer_start(&e->retry, on_retry, 0, 0);
	*ret_election = e;
	return 0;
}

bool election_leads(const struct election *e)
{
	return e->lease.leading && !e->over && !lease_lost(&e->lease, now_ms());
}

static void tell_released(struct election *e)
{
	void (*done)(void *arg) = e->released;

	(void)uv_timer_stop(&e->retry);
	e->released = NULL;
	if (done != NULL)
		done(e->released_arg);
}

static void on_released(void *arg, int, const cJSON *, const char *)
{
	tell_released(arg);
}

static void on_release_late(uv_timer_t *t)
{
	tell_released(t->data);
}

void election_release(struct election *e, void (*done)(void *arg), void *arg)
{
	char path[PATH_MAX_LEN], time[LEASE_TIME_MAX];
	bool leads = election_leads(e);

	end(e);
	e->released = done;
	e->released_arg = arg;
	(void)uv_timer_start(&e->retry, on_release_late, leads ? RELEASE_MS : 0, 0);
	if (!leads)
		return;
	time_text(time);
	cJSON *obj = lease_release_object(&e->lease, e->conf.namespace, e->conf.name, time);
	lease_path(e, true, path);
	kube_request(e->client, "PUT", path, NULL, obj, on_released, e);
	cJSON_Delete(obj);
}

static void on_closed(uv_handle_t *h)
{
	struct election *e = h->data;

	if (--e->n_handles > 0)
		return;
	free((void *)(uintptr_t)e->conf.namespace);
	free((void *)(uintptr_t)e->conf.name);
	free((void *)(uintptr_t)e->conf.identity);
	free(e);
}

// Its client is closed before, so no answer comes any more.
void election_close(struct election *e)
{
	if (e == NULL)
		return;
	end(e);
	e->released = NULL;
	e->n_handles = 2;
	uv_close((uv_handle_t *)&e->retry, on_closed);
	uv_close((uv_handle_t *)&e->deadline, on_closed);
}
