// ThreadSanitizer does not see into EAL. These wrappers tell it of the two orders that starting and awaiting
// an lcore guarantee: what was written before the start is seen by the lcore, and what the lcore has written by
// who has awaited it.
#include <rte_launch.h>
#include <rte_lcore.h>

#ifndef __has_feature
#define __has_feature(x) 0 // gcc
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
const char *__tsan_default_suppressions(void);

// What is not our race:
// - A worker that was asleep takes descriptors out of its epoll set that may be closed meanwhile, or be
//   somebody else's: the kernel then says that it has no such descriptor (forget() in pollset.c).
// - Of two threads that put something into an rte_ring the later one waits for the earlier one by a relaxed
//   load, so that who takes it out is ordered after the later one only. No x86 can tell.
const char *__tsan_default_suppressions(void)
{
	return "race:^forget$\nrace:^__rte_ring_dequeue_elems";
}
#else
static void __tsan_acquire(void *)
{
}
static void __tsan_release(void *)
{
}
#endif

int __wrap_rte_eal_remote_launch(lcore_function_t *f, void *arg, unsigned lcore);
int __real_rte_eal_remote_launch(lcore_function_t *f, void *arg, unsigned lcore);
int __wrap_rte_eal_wait_lcore(unsigned lcore);
int __real_rte_eal_wait_lcore(unsigned lcore);

static struct job {
	lcore_function_t *f;
	void *arg;
} jobs[RTE_MAX_LCORE];

static int run(void *arg)
{
	struct job *job = arg;

	__tsan_acquire(job);
	int ret = job->f(job->arg);
	__tsan_release(job);
	return ret;
}

int __wrap_rte_eal_remote_launch(lcore_function_t *f, void *arg, unsigned lcore)
{
	jobs[lcore] = (struct job){.f = f, .arg = arg};
	__tsan_release(&jobs[lcore]);
	return __real_rte_eal_remote_launch(run, &jobs[lcore], lcore);
}

int __wrap_rte_eal_wait_lcore(unsigned lcore)
{
	int ret = __real_rte_eal_wait_lcore(lcore);

	__tsan_acquire(&jobs[lcore]);
	return ret;
}
