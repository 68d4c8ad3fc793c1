// The command line and environment of strata-manager: hybridnet's flags and names where they mean the
// same. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/log.h"

#define OPTIONS_ERROR_MAX 256

struct options { // texts are borrowed from argv and the environment
	const char *kubeconfig; // NULL: in-cluster
	const char *namespace; // NULL: the service account's
	const char *default_network_type, *default_ip_family; // DEFAULT_…; "" if not set
	const char *stateful_kinds;
	bool default_ip_retain, vm_ip_retain, create_defaults;
	bool leader_elect;
	const char *lease_name;
	const char *identity; // NULL: host name or POD_NAME, and something random
	uint64_t lease_ms, renew_deadline_ms, retry_ms;
	uint16_t metrics_port, probe_port; // 0: none; the probes' own, or the metrics' if 0
	uint16_t webhook_port; // 0: no webhooks
	const char *webhook_names; // more names for their certificate; NULL: none
	const char *pod_selector; // NULL: all pods
	double qps; // 0: no limit
	unsigned int burst;
	bool concurrency; // of controllers was asked for, which has no effect
	bool allow_insecure;
	enum log_level log_level;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_HELP, // to be printed, then the end
	OPTIONS_VERSION,
	OPTIONS_WRONG, // error says what
};

extern const char options_usage[];
// getenv is asked through the argument, so that tests can answer.
enum options_result options_parse(int argc, char **argv, const char *(*env)(const char *name),
	struct options *ret_options, char error[OPTIONS_ERROR_MAX]);
