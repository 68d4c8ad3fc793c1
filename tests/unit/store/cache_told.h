// A cache over a directory store, and what its subscriber was told. cmocka.
#pragma once

#include "ctrl/store/cache.h"

#define API "apiVersion: networking.alibaba.com/v1\n"

// What a subscriber was told: "PUT network a", "BAD a: …".
struct told {
	struct store *store;
	struct cache *cache;
	struct cache_subscriber sub;
	char log[16384];
	unsigned int n_synced;
};

void note(struct told *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)

void open_cache(struct told *t);
void open_lean(struct told *t, cache_is_lean *is_lean);
void close_cache(struct told *t);
void expect(struct told *t, const char *text); // waits until it is in the log

// Files of the store.
void put_overlay(void); // Network n
void put_subnet(const char *name, const char *cidr); // of it
void put_ip(const char *namespace, const char *name, const char *ip); // of Subnet s, on node x

const char *label_of(const cJSON *json); // the value of the label "of"
