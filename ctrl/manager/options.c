// Flags as Go programs take them: --name=value or --name value, and --name alone for true.
#include "ctrl/manager/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/ipam/ipam.h"
#include "ctrl/ipam/pod_selector.h"
#include "ctrl/ipam/selection.h"

#define DURATION_MAX_MS 3600000
#define RATE_MAX 1000000

const char options_usage[] =
	"strata-manager " STRATA_VERSION ": address management for a Kubernetes cluster\n"
	"\n"
	"One of all that run is the leader and allocates; each answers the API server's webhooks.\n"
	"\n"
	"  --kubeconfig FILE              how to reach the API server (default: as the Pod's "
	"service\n"
	"                                 account)\n"
	"  --namespace NAME               where Lease and Secret are (default: $NAMESPACE, else "
	"the\n"
	"                                 account's)\n"
	"  --default-ip-retain=BOOL       pods of stateful workloads keep their addresses unless "
	"they\n"
	"                                 say otherwise (default: true)\n"
	"  --stateful-workload-kinds LIST kinds whose pods may (default: StatefulSet)\n"
	"  --feature-gates LIST           VMIPRetain=true: virtual machines of KubeVirt keep "
	"theirs\n"
	"  --pod-label-selector SELECTOR  only pods whose labels match get addresses, and are "
	"looked at by\n"
	"                                 the webhooks: app=web,tier in (a,b),!test (default: "
	"all)\n"
	"  --kube-client-qps NUMBER       requests a second to the API server at most, Lease and "
	"watches\n"
	"                                 apart; 0: no limit (default: 0)\n"
	"  --kube-client-burst NUMBER     so many at once before that counts (default: 600)\n"
	"  --controller-concurrency LIST  no effect: all controllers share one thread\n"
	"  --create-defaults=BOOL         without any Network, make network-0 (Overlay, VNI 4) and "
	"its\n"
	"                                 Subnet 100.64.0.0/16 (default: false)\n"
	"  --metrics-port PORT            /metrics, /healthz and /readyz by HTTP; 0: none "
	"(default:\n"
	"                                 9899)\n"
	"  --health-probe-port PORT       /healthz and /readyz there instead (default: 0, not)\n"
	"  --webhook-port PORT            the webhooks by HTTPS; 0: none (default: 9898)\n"
	"  --webhook-names LIST           more names and addresses that their certificate is for\n"
	"  --leader-elect=BOOL            wait to be the leader (default: true; false only if "
	"there is\n"
	"                                 no other)\n"
	"  --leader-elect-resource-name NAME    the Lease (default: strata-manager)\n"
	"  --leader-elect-lease-duration TIME   how long others leave it alone (default: 15s)\n"
	"  --leader-elect-renew-deadline TIME   when a leader that cannot renew it stops (default: "
	"10s)\n"
	"  --leader-elect-retry-period TIME     between tries (default: 2s)\n"
	"  --leader-elect-identity NAME   who we are; different for each (default: $POD_NAME or "
	"the\n"
	"                                 host's name, and something random)\n"
	"  --allow-insecure               follow insecure-skip-tls-verify of the kubeconfig\n"
	"  --log-level LEVEL              error, warn, notice or debug (default: notice)\n"
	"  --version\n"
	"  --help\n"
	"\n"
	"Environment: DEFAULT_NETWORK_TYPE (Underlay, Overlay; Underlay if not set) and\n"
	"DEFAULT_IP_FAMILY (IPv4, IPv6, DualStack; IPv4 if not set) are what pods get that ask "
	"for\n"
	"nothing.\n";

enum flag {
	FLAG_KUBECONFIG = 1,
	FLAG_NAMESPACE,
	FLAG_IP_RETAIN,
	FLAG_STATEFUL_KINDS,
	FLAG_FEATURE_GATES,
	FLAG_POD_SELECTOR,
	FLAG_QPS,
	FLAG_BURST,
	FLAG_CONCURRENCY,
	FLAG_CREATE_DEFAULTS,
	FLAG_METRICS_PORT,
	FLAG_PROBE_PORT,
	FLAG_WEBHOOK_PORT,
	FLAG_WEBHOOK_NAMES,
	FLAG_LEADER_ELECT,
	FLAG_LEASE_NAME,
	FLAG_LEASE,
	FLAG_RENEW,
	FLAG_RETRY,
	FLAG_IDENTITY,
	FLAG_INSECURE,
	FLAG_LOG_LEVEL,
	FLAG_VERSION,
	FLAG_HELP,
};

static const struct option flags[] = {
	{.name = "kubeconfig", .has_arg = required_argument, .val = FLAG_KUBECONFIG},
	{.name = "namespace", .has_arg = required_argument, .val = FLAG_NAMESPACE},
	{.name = "default-ip-retain", .has_arg = optional_argument, .val = FLAG_IP_RETAIN},
	{.name = "stateful-workload-kinds",
		.has_arg = required_argument,
		.val = FLAG_STATEFUL_KINDS},
	{.name = "feature-gates", .has_arg = required_argument, .val = FLAG_FEATURE_GATES},
	{.name = "pod-label-selector", .has_arg = required_argument, .val = FLAG_POD_SELECTOR},
	{.name = "kube-client-qps", .has_arg = required_argument, .val = FLAG_QPS},
	{.name = "kube-client-burst", .has_arg = required_argument, .val = FLAG_BURST},
	{.name = "controller-concurrency", .has_arg = required_argument, .val = FLAG_CONCURRENCY},
	{.name = "create-defaults", .has_arg = optional_argument, .val = FLAG_CREATE_DEFAULTS},
	{.name = "metrics-port", .has_arg = required_argument, .val = FLAG_METRICS_PORT},
	{.name = "health-probe-port", .has_arg = required_argument, .val = FLAG_PROBE_PORT},
	{.name = "webhook-port", .has_arg = required_argument, .val = FLAG_WEBHOOK_PORT},
	{.name = "webhook-names", .has_arg = required_argument, .val = FLAG_WEBHOOK_NAMES},
	{.name = "leader-elect", .has_arg = optional_argument, .val = FLAG_LEADER_ELECT},
	{.name = "leader-elect-resource-name",
		.has_arg = required_argument,
		.val = FLAG_LEASE_NAME},
	{.name = "leader-elect-lease-duration", .has_arg = required_argument, .val = FLAG_LEASE},
	{.name = "leader-elect-renew-deadline", .has_arg = required_argument, .val = FLAG_RENEW},
	{.name = "leader-elect-retry-period", .has_arg = required_argument, .val = FLAG_RETRY},
	{.name = "leader-elect-identity", .has_arg = required_argument, .val = FLAG_IDENTITY},
	{.name = "allow-insecure", .has_arg = no_argument, .val = FLAG_INSECURE},
	{.name = "log-level", .has_arg = required_argument, .val = FLAG_LOG_LEVEL},
	{.name = "version", .has_arg = no_argument, .val = FLAG_VERSION},
	{.name = "help", .has_arg = no_argument, .val = FLAG_HELP},
	{0},
};

__attribute__((format(printf, 2, 3))) static bool refuse(
	char error[OPTIONS_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, OPTIONS_ERROR_MAX, format, ap);
	va_end(ap);
	return false;
}

// No text is true: the flag alone.
static bool parse_bool(const char *text, bool *ret)
{
	return selection_parse_bool(text != NULL ? text : "true", ret);
}

static bool parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n > UINT16_MAX)
		return false;
	*ret = (uint16_t)n;
	return true;
}

// "15s", "1.5s", "500ms", "1m".
static bool parse_duration(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
	char *end;
	double n = strtod(text, &end);

	if (text[0] < '0' || text[0] > '9')
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0 || n * units[i].ms > DURATION_MAX_MS)
			continue;
		*ret_ms = (uint64_t)(n * units[i].ms);
		return *ret_ms > 0;
	}
	return false;
}

// "VMIPRetain=true,MultiCluster=false". What we do not have may only be off.
static bool parse_gates(const char *text, struct options *o, char error[OPTIONS_ERROR_MAX])
{
	char name[64], value[16];
	bool on;

	for (const char *p = text; *p != '\0'; p += *p == ',') {
		int len = (int)strcspn(p, ",="), value_len = (int)strcspn(p, ",") - len - 1;

		(void)snprintf(name, sizeof(name), "%.*s", len, p);
		(void)snprintf(
			value, sizeof(value), "%.*s", value_len > 0 ? value_len : 0, p + len + 1);
		p += strcspn(p, ",");
		if (value_len <= 0 || !parse_bool(value, &on))
			return refuse(error, "--feature-gates: '%s' must be true or false", name);
		if (strcmp(name, "VMIPRetain") == 0)
			o->vm_ip_retain = on;
		else if (on || strcmp(name, "MultiCluster") != 0)
			return refuse(error, "--feature-gates: there is no '%s'", name);
	}
	return true;
}

static bool parse_qps(const char *text, double *ret)
{
	char *end;
	double n = strtod(text, &end);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || !(n <= RATE_MAX))
		return false;
	*ret = n;
	return true;
}

static bool take_rate(int flag, const char *value, struct options *o, char error[OPTIONS_ERROR_MAX])
{
	double burst;

	if (flag == FLAG_QPS)
		return parse_qps(value, &o->qps) ||
		       refuse(error, "--kube-client-qps: '%s' is no number of requests", value);
	if (!parse_qps(value, &burst) || burst < 1 || value[strspn(value, "0123456789")] != '\0')
		return refuse(error, "--kube-client-burst: '%s' is no number of requests", value);
	o->burst = (unsigned int)burst;
	return true;
}

static bool take_selector(const char *value, struct options *o, char error[OPTIONS_ERROR_MAX])
{
	char why[POD_SELECTOR_ERROR_MAX];

	o->pod_selector = value;
	return pod_selector_check(value, why) || refuse(error, "--pod-label-selector: %s", why);
}

static bool take_text(int flag, const char *value, struct options *o, char error[OPTIONS_ERROR_MAX])
{
	switch (flag) {
	case FLAG_KUBECONFIG:
		o->kubeconfig = value;
		return true;
	case FLAG_NAMESPACE:
		o->namespace = value;
		return true;
	case FLAG_STATEFUL_KINDS:
		o->stateful_kinds = value;
		return true;
	case FLAG_WEBHOOK_NAMES:
		o->webhook_names = value;
		return true;
	case FLAG_LEASE_NAME:
		o->lease_name = value;
		return true;
	case FLAG_IDENTITY:
		o->identity = value;
		return true;
	case FLAG_LOG_LEVEL:
		return log_level_parse(value, &o->log_level) == 0 ||
		       refuse(error, "--log-level: '%s' is none of error, warn, notice, debug",
			       value);
	case FLAG_FEATURE_GATES:
		return parse_gates(value, o, error);
	case FLAG_POD_SELECTOR:
		return take_selector(value, o, error);
	case FLAG_QPS:
	case FLAG_BURST:
		return take_rate(flag, value, o, error);
	case FLAG_CONCURRENCY:
		o->concurrency = true;
		return true;
	default:
		return refuse(error, "try --help");
	}
}

static const char *flag_name(int flag)
{
	const struct option *f = flags;

	while (f->val != flag)
		f++;
	return f->name;
}

static bool take(int flag, const char *value, struct options *o, char error[OPTIONS_ERROR_MAX])
{
	bool *const bools[] = {
		[FLAG_IP_RETAIN] = &o->default_ip_retain,
		[FLAG_CREATE_DEFAULTS] = &o->create_defaults,
		[FLAG_LEADER_ELECT] = &o->leader_elect,
		[FLAG_INSECURE] = &o->allow_insecure,
		[FLAG_HELP] = NULL,
	};
	uint16_t *const ports[] = {
		[FLAG_METRICS_PORT] = &o->metrics_port,
		[FLAG_PROBE_PORT] = &o->probe_port,
		[FLAG_WEBHOOK_PORT] = &o->webhook_port,
		[FLAG_HELP] = NULL,
	};
	uint64_t *const times[] = {
		[FLAG_LEASE] = &o->lease_ms,
		[FLAG_RENEW] = &o->renew_deadline_ms,
		[FLAG_RETRY] = &o->retry_ms,
		[FLAG_HELP] = NULL,
	};

	if (bools[flag] != NULL)
		return parse_bool(value, bools[flag]) ||
		       refuse(error, "--%s: '%s' must be true or false", flag_name(flag), value);
	if (ports[flag] != NULL)
		return parse_port(value, ports[flag]) ||
		       refuse(error, "--%s: '%s' is no port", flag_name(flag), value);
	if (times[flag] != NULL)
		return parse_duration(value, times[flag]) ||
		       refuse(error, "--%s: '%s' is no time such as 15s or 500ms", flag_name(flag),
			       value);
	return take_text(flag, value, o, error);
}

static bool check(const struct options *o, char error[OPTIONS_ERROR_MAX])
{
	enum network_type type;
	enum ip_family family;

	if (o->default_network_type[0] != '\0' &&
		!selection_parse_type(o->default_network_type, &type))
		return refuse(error, "DEFAULT_NETWORK_TYPE: unrecognized network type %s",
			o->default_network_type);
	if (o->default_ip_family[0] != '\0' && ip_family_parse(o->default_ip_family, &family) < 0)
		return refuse(error, "DEFAULT_IP_FAMILY: unrecognized ip family %s",
			o->default_ip_family);
	// A leader must have stopped before another may start, and have tried more than once.
	if (o->renew_deadline_ms >= o->lease_ms || o->retry_ms >= o->renew_deadline_ms ||
		o->lease_ms < 1000)
		return refuse(error, "the lease duration (of a second or more) must be longer than "
				     "the renew deadline, and that than the retry period");
	return true;
}

enum options_result options_parse(int argc, char **argv, const char *(*env)(const char *name),
	struct options *ret_options, char error[OPTIONS_ERROR_MAX])
{
	const char *type = env("DEFAULT_NETWORK_TYPE"), *family = env("DEFAULT_IP_FAMILY");
	struct options o = {
		.namespace = env("NAMESPACE"),
		.default_network_type = type != NULL ? type : "",
		.default_ip_family = family != NULL ? family : "",
		.stateful_kinds = "StatefulSet",
		.default_ip_retain = true,
		.burst = 600,
		.leader_elect = true,
		.lease_name = "strata-manager",
		.lease_ms = 15000,
		.renew_deadline_ms = 10000,
		.retry_ms = 2000,
		.metrics_port = 9899,
		.webhook_port = 9898,
		.log_level = LOG_LEVEL_NOTICE,
	};
	int flag;

	optind = 0; // also for a second call
	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
		if (flag == FLAG_HELP)
			return OPTIONS_HELP;
		if (flag == FLAG_VERSION)
			return OPTIONS_VERSION;
		if (flag == '?' || flag == ':') {
			(void)refuse(error,
				flag == ':' ? "'%s' needs a value" : "'%s' is no option",
				argv[optind - 1]);
			return OPTIONS_WRONG;
		}
		if (!take(flag, optarg, &o, error))
			return OPTIONS_WRONG;
	}
	if (optind < argc) {
		(void)refuse(error, "'%s' is no option", argv[optind]);
		return OPTIONS_WRONG;
	}
	if (!check(&o, error))
		return OPTIONS_WRONG;
	*ret_options = o;
	return OPTIONS_RUN;
}
