// What look-ups and updates cost, in the data plane's own tables and in those of DPDK that could take
// their place: memory, time to build, cycles per look-up in bursts of 64 random entries, and single
// updates, beside which a reader goes on.
//   tables [EAL options: two lcores on CPUs of their own; without any: those of a quick check]
// bench/tables runs it as it should be run.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include <stdio.h>

#include "bench/fail.h"
#include "bench/percentile.h"
#include "bench/structures/reader.h"
#include "bench/structures/updates.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/rcu.h"

static_assert(N_CHANGING == BURST_MAX);

#define PERCENTILE 10
#define PHASES 3 // with updates and without, in turn
#define PHASE_MS 200

struct bench {
	struct rcu *rcu;
	bool checks; // small, and answers are all that is asked for
};

struct result {
	double megabytes;
	double build_ns; // per entry
	double cycles; // per look-up
	struct histogram alone, beside; // bursts of the reader
	struct histogram updates[UPDATE_COUNT];
	bool refuses; // took no entry more, after some changes
	uint64_t n_wrong;
};

static size_t heap_used(void)
{
	struct rte_malloc_socket_stats stats;
	size_t used = 0;

	for (int socket = 0; socket < RTE_MAX_NUMA_NODES; socket++) {
		if (rte_malloc_get_socket_stats(socket, &stats) == 0)
			used += stats.heap_allocsz_bytes;
	}
	return used;
}

// ── A case ─────────────────────────────────────────────────────────────────────────────────────

static void *build(
	const struct bench *b, const struct structure *s, const struct entries *e, struct result *r)
{
	size_t before = heap_used();
	uint64_t start = rte_rdtsc();
	void *state = s->new (s, e, b->rcu);

	if (state == NULL)
		return NULL;
	for (uint32_t i = 0; i < e->n; i++) {
		if (s->put(state, i, i + 1) < 0) {
			s->free(state);
			return NULL;
		}
		(void)rcu_poll(b->rcu);
	}
	r->build_ns = (double)(rte_rdtsc() - start) * 1e9 / (double)rte_get_tsc_hz() / e->n;
	r->megabytes = (double)(heap_used() - before) / 1e6;
	return state;
}

static void launch(struct reader *reader, uint32_t n_windows)
{
	atomic_store(&reader->stop_after, n_windows);
	if (rte_eal_remote_launch(reader_main, reader, rte_get_next_lcore(-1, 1, 0)) < 0)
		fail("the reader does not start");
}

static void end(struct reader *reader)
{
	atomic_store(&reader->stop_after, 0);
	rte_eal_mp_wait_lcore();
}

static void look_up(struct reader *reader, struct result *r)
{
	launch(reader, READER_WINDOWS);
	rte_eal_mp_wait_lcore();
	r->cycles = percentile(reader->cycles, READER_WINDOWS, PERCENTILE);
}

// The reader with and without updates beside it, in turn.
static void update(const struct bench *b, struct reader *reader, struct result *r)
{
	uint64_t phase = rte_get_tsc_hz() / 1000 * (b->checks ? 10 : PHASE_MS);

	for (unsigned i = 0; i < PHASES; i++) {
		reader->bursts = r->alone;
		launch(reader, UINT32_MAX);
		rte_delay_us_sleep((unsigned)(phase * 1000000 / rte_get_tsc_hz()));
		end(reader);
		r->alone = reader->bursts;

		reader->bursts = r->beside;
		if (reader->structure->is_safe)
			launch(reader, UINT32_MAX);
		r->refuses |= !updates_run(reader->structure, reader->state, reader->n_entries,
			b->rcu, phase, r->updates);
		end(reader);
		r->beside = reader->bursts;
	}
}

// How many of the entries that change are not found as they should be, when all are `there` and
// when none is.
static uint64_t count_wrong(const struct structure *s, void *state, uint32_t n_entries, bool there)
{
	uint32_t wanted[BURST_MAX], numbers[BURST_MAX];
	uint64_t n_wrong = 0;

	for (uint32_t i = 0; i < N_CHANGING; i++) {
		wanted[i] = n_entries + i;
		if (there && s->put(state, n_entries + i, UINT16_MAX - i) < 0)
			n_wrong++;
	}
	s->load(state, wanted);
	for (uint32_t i = 0; i < N_CHANGING && !there; i++)
		s->del(state, n_entries + i);
	s->find(state, numbers);
	for (uint32_t i = 0; i < N_CHANGING; i++)
		n_wrong += numbers[i] != (there ? UINT16_MAX - i : 0);
	return n_wrong;
}

// False if that many do not fit.
static bool measure(const struct bench *b, const struct structure *s, const struct entries *e,
	struct result *ret_result)
{
	static struct reader reader;
	void *state = build(b, s, e, ret_result);

	if (state == NULL)
		return false;
	reader = (struct reader){
		.structure = s, .state = state, .n_entries = e->n, .rcu = b->rcu, .random = 1};
	look_up(&reader, ret_result);
	update(b, &reader, ret_result);
	ret_result->n_wrong = reader.n_wrong;
	if (!ret_result->refuses)
		ret_result->n_wrong +=
			count_wrong(s, state, e->n, true) + count_wrong(s, state, e->n, false);
	s->free(state);
	return true;
}

// ── The report ─────────────────────────────────────────────────────────────────────────────────

static double us(uint64_t cycles)
{
	return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

static void print_head(void)
{
	static const char *const columns[] = {"structure", "entries", "MB", "build ns/entry",
		"cycles/look-up", "insert", "replace", "delete", "bursts alone", "beside updates"};

	puts("Updates in µs: p50 / p99 / most. The reader's bursts of 64, without and with");
	puts("updates beside them, in µs: p50 / p99.9 / most.\n");
	for (size_t i = 0; i < RTE_DIM(columns); i++)
		printf("| %s ", columns[i]);
	puts("|");
	for (size_t i = 0; i < RTE_DIM(columns); i++)
		printf("|---");
	puts("|");
}

static void print_times(const struct histogram *h, double high)
{
	if (h->total == 0)
		printf(" not allowed |");
	else
		printf(" %.2f / %.2f / %.0f |", us(histogram_percentile(h, 0.5)),
			us(histogram_percentile(h, high)), us(h->max));
}

static void print_row(const struct structure *s, const struct entries *e, const struct result *r)
{
	printf("| %s%s%s | %u | %.1f | %.0f | %.1f |", s->name,
		!s->has_addresses ? ""
		: e->is_ip6       ? ", IPv6"
				  : ", IPv4",
		e->layout == LAYOUT_SPARSE ? ", scattered" : "", e->n, r->megabytes, r->build_ns,
		r->cycles);
	for (unsigned i = 0; i < UPDATE_COUNT; i++)
		print_times(&r->updates[i], 0.99);
	print_times(&r->alone, 0.999);
	print_times(&r->beside, 0.999);
	puts("");
	(void)fflush(stdout);
}

// ── All cases ──────────────────────────────────────────────────────────────────────────────────

static bool run_case(const struct bench *b, const struct structure *s, const struct entries *e)
{
	static struct result result;

	result = (struct result){0};
	if (!measure(b, s, e, &result)) {
		fprintf(stderr, "%s does not hold %u entries\n", s->name, e->n);
		return false;
	}
	print_row(s, e, &result);
	if (result.refuses)
		fprintf(stderr, "%s takes no entry any more after %lu changes\n", s->name,
			result.updates[UPDATE_INSERT].total);
	if (result.n_wrong > 0)
		fprintf(stderr, "%s: %lu wrong answers\n", s->name, result.n_wrong);
	return result.n_wrong == 0 && !(s->is_safe && result.refuses);
}

static bool run_family(const struct bench *b, const struct structure *s, bool is_ip6)
{
	static const struct entries all[] = {{1, false, LAYOUT_DENSE}, {1000, false, LAYOUT_DENSE},
		{100000, false, LAYOUT_DENSE}, {100000, false, LAYOUT_SPARSE},
		{1000000, false, LAYOUT_DENSE}};
	static const struct entries few[] = {{1, false, LAYOUT_DENSE}, {1000, false, LAYOUT_DENSE},
		{1000, false, LAYOUT_SPARSE}};
	const struct entries *cases = b->checks ? few : all;
	size_t n = b->checks ? RTE_DIM(few) : RTE_DIM(all);
	bool good = true;
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		struct entries e = cases[i];
		e.is_ip6 = is_ip6;
		e.n = RTE_MIN(e.n, s->n_max);
		if (e.n == last && (e.layout == LAYOUT_DENSE || e.n == s->n_max))
			continue;
		if (e.layout == LAYOUT_SPARSE && (!s->has_addresses || s->is_dense))
			continue;
		last = e.n;
		good = run_case(b, s, &e) && good;
	}
	return good;
}

int main(int argc, char **argv)
{
	struct bench b = {.checks = argc == 1};
	bool good = true;

	if (b.checks)
		eal_start("tables", "0@0,1@0");
	else if (rte_eal_init(argc, argv) < 0)
		fail("EAL does not start");
	if (rte_lcore_count() != 2)
		fail("two lcores are needed: one reads, one changes");
	b.rcu = rcu_new(1);
	if (b.rcu == NULL)
		fail("no memory");
	print_head();
	for (size_t i = 0; structures[i] != NULL; i++) {
		if (structures[i]->ip4)
			good = run_family(&b, structures[i], false) && good;
		if (structures[i]->ip6)
			good = run_family(&b, structures[i], true) && good;
	}
	rcu_free(b.rcu);
	return good ? 0 : 1;
}
