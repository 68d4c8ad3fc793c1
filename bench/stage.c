// What each stage costs, and each pipeline: bursts of 64 short frames of 1024 flows on the ways that
// bench/scene.h lists, without ports around them.
//   stage            TSC cycles per packet, of a low percentile of many short windows
//   stage --count    runs each way once, for a tool that counts instructions (bench/stage-cost)
#include "bench/fail.h"
#include "bench/percentile.h"
#include "bench/scene.h"
#include "pmd/pool.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/pipeline.h"
#include "vswitch/rcu.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUTES 8192
#define N_BUFFERS 1023
#define N_STAGES_MAX 24
#define N_WINDOWS 400
#define ROUNDS 32 // bursts of a window
#define PERCENTILE 10

struct bench {
	struct tables *tables;
	struct rte_mbuf *mbufs[BURST_MAX];
	struct icmp_limit icmp_limit;
	struct burst burst;
};

// A burst as a worker hands it to the pipeline.
static void load(struct bench *bench, const struct scene *s, uint32_t first)
{
	struct burst *b = &bench->burst;

	for (uint32_t i = 0; i < BURST_MAX; i++) {
		scene_fill(s, bench->mbufs[i], first + i);
		b->pkt[i] = bench->mbufs[i];
	}
	b->n = BURST_MAX;
	burst_begin(
		b, bench->tables, atomic_load(&bench->tables->vports[s->from]), &bench->icmp_limit);
	b->now = rte_rdtsc();
}

// A benchmark of something that was dropped would be a fast one.
static void check(const struct bench *bench, const struct scene *s)
{
	const struct burst *b = &bench->burst;

	if (b->n != BURST_MAX || b->n_dead != 0 || b->n_punt != 0)
		fail("packets were dropped");
	for (uint16_t i = 0; i < b->n; i++) {
		if (pkt(b->pkt[i])->out != s->to)
			fail("packets went astray");
	}
}

static double low(double *values)
{
	return percentile(values, N_WINDOWS, PERCENTILE);
}

// The cycles of each stage in a window, per packet.
static void window(struct bench *bench, const struct scene *s, const struct pipeline *p,
	double (*ret_cycles)[N_WINDOWS], unsigned w)
{
	uint64_t cycles[N_STAGES_MAX] = {0};

	for (uint32_t round = 0; round < ROUNDS; round++) {
		load(bench, s, (w * ROUNDS + round) * BURST_MAX);
		uint64_t start = rte_rdtsc();
		for (size_t i = 0; i < p->n_stages; i++) {
			p->stages[i].run(&bench->burst);
			uint64_t end = rte_rdtsc();
			cycles[i] += end - start;
			start = end;
		}
		check(bench, s);
	}
	for (size_t i = 0; i < p->n_stages; i++)
		ret_cycles[i][w] = (double)cycles[i] / (ROUNDS * BURST_MAX);
}

static void measure(struct bench *bench, const struct scene *s)
{
	static double cycles[N_STAGES_MAX][N_WINDOWS], sum[N_WINDOWS];
	const struct pipeline *p = pipeline_of(atomic_load(&bench->tables->vports[s->from])->kind);

	for (unsigned w = 0; w < N_WINDOWS; w++) {
		window(bench, s, p, cycles, w);
		sum[w] = 0;
		for (size_t i = 0; i < p->n_stages; i++)
			sum[w] += cycles[i][w];
	}
	printf("%-10s IPv%c  %-18s %6.1f\n", s->name, s->is_ip6 ? '6' : '4', "all", low(sum));
	for (size_t i = 0; i < p->n_stages; i++)
		printf("%-10s IPv%c  %-18s %6.1f\n", s->name, s->is_ip6 ? '6' : '4',
			p->stages[i].name, low(cycles[i]));
}

// Where a tool counts: one stage, one burst, nothing else.
static void counted(stage_fn *run, struct burst *b)
{
	run(b);
	atomic_signal_fence(memory_order_seq_cst); // it returns here
}
// So that the compiler keeps it as it is.
static void (*volatile counted_fn)(stage_fn *run, struct burst *b) = counted;

// Says what was counted, in that order.
static void count(struct bench *bench, const struct scene *s)
{
	const struct pipeline *p = pipeline_of(atomic_load(&bench->tables->vports[s->from])->kind);

	load(bench, s, 0);
	for (size_t i = 0; i < p->n_stages; i++) {
		counted_fn(p->stages[i].run, &bench->burst);
		printf("%s IPv%c %s %u\n", s->name, s->is_ip6 ? '6' : '4', p->stages[i].name,
			BURST_MAX);
	}
	check(bench, s);
}

static struct rcu *bench_open(struct bench *bench)
{
	struct rcu *rcu = rcu_new(1);
	struct rte_mempool *pool = pool_new("bench", N_BUFFERS, sizeof(struct pkt), SOCKET_ID_ANY);

	if (rcu == NULL || pool == NULL)
		fail("no memory");
	bench->tables = tables_new(N_ROUTES, rcu);
	if (bench->tables == NULL || scene_tables(bench->tables) < 0 ||
		rte_pktmbuf_alloc_bulk(pool, bench->mbufs, BURST_MAX) < 0)
		fail("no memory");
	return rcu;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	bool counts = argc > 1 && strcmp(argv[1], "--count") == 0;

	if (argc > 2 || (argc == 2 && !counts))
		fail("usage: stage [--count]");
	eal_start("stage", "0");
	struct rcu *rcu = bench_open(&bench);
	for (enum scene_way way = 0; way < SCENE_WAYS; way++) {
		for (int six = 0; six < 2; six++) {
			struct scene *s = scene_new(way, six != 0);
			if (s == NULL)
				fail("no memory");
			(counts ? count : measure)(&bench, s);
			free(s);
		}
	}
	rte_pktmbuf_free_bulk(bench.mbufs, BURST_MAX);
	tables_free(bench.tables);
	rcu_free(rcu);
	return 0;
}
