// A manager on a dir store, for tests: its objects are files and pods that the test makes, and what it
// makes of them is waited for.
#pragma once

#include "ctrl/manager/manager.h"
#include "ctrl/model/object.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"

struct site { // a daemon's worth
	struct store *store;
	struct cache *cache;
	struct manager *manager;
};

extern struct manager_conf conf; // of the sites that are opened from now on

int setup(void **state); // cmocka's, before loop_teardown: no files, and conf as by default

void open_site(struct site *s);
void open_active(struct site *s); // and waits until it is
bool is_active(void *site);
void close_site(struct site *s);

// Files.
#define API "apiVersion: networking.alibaba.com/v1\n"
void put_overlay(void); // Network "n"
void put_subnet(const char *name, const char *version, const char *cidr, const char *more);
void put_node(const char *name, const char *labels);
// put_overlay() with the Subnet "s", 10.0.0.0/24, and open_active().
void open_overlay(struct site *s);

// A pod in namespace "x"; annotations are ANN()s, owner is "" or STATEFUL.
void create_pod(struct site *s, const char *name, const char *node, const char *annotations,
	const char *owner);
#define ANN(key, value) "\"networking.alibaba.com/" key "\":\"" value "\""
#define STATEFUL                                          \
	",\"ownerReferences\":[{\"apiVersion\":\"apps/"   \
	"v1\",\"kind\":\"StatefulSet\",\"name\":\"web\"," \
	"\"uid\":\"u1\",\"controller\":true}]"

struct ips { // of a pod
	const struct site *site;
	const char *pod;
	size_t want, n; // bound ones
	size_t n_all; // with the reserved
	char text[4][IP_TEXT_MAX];
	uint8_t mac[4][6];
};

// Waits until the pod has so many addresses.
struct ips ips_of(const struct site *s, const char *pod, size_t want);
void expect_ip(const struct site *s, const char *pod, const char *ip);

size_t count(const struct site *s, enum kind kind);
// These wait until it is so: the number of IPInstances, a text in an object's JSON, and the message
// on a pod that gets no address.
void expect_instances(const struct site *s, size_t n);
void expect_json(const struct site *s, enum kind kind, const char *namespace, const char *name,
	const char *text);
void expect_status(const struct site *s, enum kind kind, const char *name, const char *text);
void expect_failure(const struct site *s, const char *pod, const char *message);
