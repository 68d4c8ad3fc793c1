// The table of routes where it is tight: addresses of one bucket, and with one tag.
#include "tests/unit/dataplane/eal.h"
#include "vswitch/route_table_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "vswitch/addr.h"
#include "vswitch/burst.h"

#define N_MAX 64
#define N_CROWD 20 // more than three buckets hold

static struct route_table *table;
static struct route crowd[N_CROWD]; // all belong into one bucket

static struct in6_addr numbered(uint32_t i)
{
	return addr_of_ip4(htonl(0x0a000000 + i));
}

static bool is_in_first_bucket(uint32_t i)
{
	struct in6_addr a = numbered(i);
	return (route_hash(&a) & table->mask) == 0;
}

static int setup(void **)
{
	uint32_t n = 0;

	table = route_table_new(N_MAX);
	if (table == NULL)
		return -1;
	for (uint32_t i = 0; n < N_CROWD; i++) {
		if (is_in_first_bucket(i))
			crowd[n++] = (struct route){.addr = numbered(i)};
	}
	return 0;
}

static int teardown(void **)
{
	route_table_free(table);
	return 0;
}

static void put(const struct route *r)
{
	const struct route *old;

	assert_int_equal(route_table_put(table, r, &old), 0);
	assert_null(old);
}

static const struct route *find(const struct in6_addr *addr)
{
	const struct route *r;

	bool found = route_table_find(table, &addr, 1, &r);
	assert_int_equal(found, r != NULL);
	return r;
}

static void more_routes_than_a_bucket_holds_are_all_found(void **)
{
	const struct in6_addr *addrs[N_CROWD];
	const struct route *found[N_CROWD];

	for (uint32_t i = 0; i < N_CROWD; i++) {
		put(&crowd[i]);
		addrs[i] = &crowd[i].addr;
	}
	assert_true(route_table_find(table, addrs, N_CROWD, found));
	for (uint32_t i = 0; i < N_CROWD; i++)
		assert_ptr_equal(found[i], &crowd[i]);
}

static void routes_are_found_whichever_others_are_deleted(void **)
{
	for (uint32_t i = 0; i < N_CROWD; i++)
		put(&crowd[i]);
	for (uint32_t gone = 0; gone < N_CROWD; gone++) {
		assert_ptr_equal(route_table_del(table, &crowd[gone].addr), &crowd[gone]);
		for (uint32_t i = 0; i < N_CROWD; i++)
			assert_ptr_equal(find(&crowd[i].addr), i > gone ? &crowd[i] : NULL);
	}
	assert_int_equal(table->n, 0);
}

static void deleted_route_is_gone_and_its_place_is_anothers(void **)
{
	for (uint32_t i = 0; i < ROUTE_BUCKET_SIZE; i++)
		put(&crowd[i]);
	(void)route_table_del(table, &crowd[2].addr);
	put(&crowd[ROUTE_BUCKET_SIZE]);
	assert_null(find(&crowd[2].addr));
	assert_false(bucket_is_passed(&table->bucket[0]));
	assert_null(route_table_del(table, &crowd[2].addr));
}

static void replaced_route_stays_in_its_place(void **)
{
	const struct route newer = crowd[8];
	const struct route *old;

	for (uint32_t i = 0; i < N_CROWD; i++)
		put(&crowd[i]);
	(void)route_table_del(table, &crowd[0].addr); // a free place nearer to the first bucket
	assert_int_equal(route_table_put(table, &newer, &old), 0);
	assert_ptr_equal(old, &crowd[8]);
	assert_ptr_equal(find(&newer.addr), &newer);
	assert_ptr_equal(route_table_del(table, &newer.addr), &newer);
	assert_null(find(&newer.addr));
}

static uint64_t tag_of(uint32_t i)
{
	struct in6_addr a = numbered(i);
	return route_tag(route_hash(&a));
}

static void routes_of_one_bucket_with_one_tag_are_told_apart(void **)
{
	uint32_t first = 0, second = 1;

	while (!is_in_first_bucket(first))
		first++;
	for (second = first + 1; !is_in_first_bucket(second) || tag_of(second) != tag_of(first);)
		second++;
	const struct route a = {.addr = numbered(first)}, b = {.addr = numbered(second)};

	put(&a);
	assert_null(find(&b.addr));
	put(&b);
	assert_ptr_equal(find(&a.addr), &a);
	assert_ptr_equal(find(&b.addr), &b);
	(void)route_table_del(table, &a.addr);
	assert_null(find(&a.addr));
	assert_ptr_equal(find(&b.addr), &b);
}

// Buckets stay passed for good, so in time all may be.
static void look_up_ends_where_something_went_past_every_bucket(void **)
{
	for (uint64_t n = 0; n <= table->mask; n++)
		atomic_store(&table->bucket[n].tags[1], BUCKET_PASSED);
	assert_null(find(&crowd[0].addr));
	assert_null(route_table_del(table, &crowd[0].addr));
	put(&crowd[0]);
	assert_ptr_equal(find(&crowd[0].addr), &crowd[0]);
	assert_null(find(&crowd[1].addr));
}

static void one_address_without_a_route_is_noticed_among_others(void **)
{
	const struct in6_addr *addrs[] = {&crowd[N_CROWD - 1].addr, &crowd[N_CROWD - 2].addr};
	const struct route *found[2];

	for (uint32_t i = 0; i < N_CROWD - 1; i++)
		put(&crowd[i]);
	assert_false(route_table_find(table, addrs, 2, found));
	assert_null(found[0]);
	assert_ptr_equal(found[1], &crowd[N_CROWD - 2]);
}

// The tag that means that nothing is there.
static void route_whose_hash_would_make_no_tag_is_found(void **)
{
	uint32_t i = 0;

	for (struct in6_addr a = numbered(0);
		!is_in_first_bucket(i) || route_hash(&a) >> (64 - TAG_BITS) != 0;)
		a = numbered(++i);
	const struct route r = {.addr = numbered(i)};
	put(&r);
	put(&crowd[0]);
	assert_ptr_equal(find(&r.addr), &r);
	assert_ptr_equal(find(&crowd[0].addr), &crowd[0]);
	assert_ptr_equal(route_table_del(table, &r.addr), &r);
	assert_null(find(&r.addr));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(more_routes_than_a_bucket_holds_are_all_found),
		TEST(routes_are_found_whichever_others_are_deleted),
		TEST(deleted_route_is_gone_and_its_place_is_anothers),
		TEST(replaced_route_stays_in_its_place),
		TEST(routes_of_one_bucket_with_one_tag_are_told_apart),
		TEST(look_up_ends_where_something_went_past_every_bucket),
		TEST(one_address_without_a_route_is_noticed_among_others),
		TEST(route_whose_hash_would_make_no_tag_is_found),
	};
	eal_start("route-table", "0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
