// strata-vswitchd: one per node. Command line, configuration, preflight, DPDK; the rest is daemon.c.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/log.h"
#include "ctrl/node/daemon.h"
#include "ctrl/node/eal.h"
#include "ctrl/node/numa_place.h"
#include "ctrl/node/preflight.h"

#define CONFIG_DEFAULT "/etc/strata/vswitchd.yaml"

#define EXIT_CONFIG 2 // the configuration or the command line is wrong
#define EXIT_PREFLIGHT 3 // the machine lacks something that is needed

struct options {
	const char *config; // NULL: defaults
	bool check;
};

static const char usage[] =
	"strata-vswitchd " STRATA_VERSION ": the virtual switch of a node\n"
	"\n"
	"  --config FILE   its configuration (default: " CONFIG_DEFAULT " if there is one,\n"
	"                  else the defaults, see the sample strata-vswitchd.yaml)\n"
	"  --check         say whether the configuration is right and what the machine lacks; then "
	"end\n"
	"  --version\n"
	"  --help\n";

// 0 to go on, or the exit code + 1.
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{.name = "config", .has_arg = required_argument, .val = 'c'},
		{.name = "check", .val = 'k'},
		{.name = "version", .val = 'v'},
		{.name = "help", .val = 'h'},
		{0},
	};
	int option;

	o->config = access(CONFIG_DEFAULT, F_OK) == 0 ? CONFIG_DEFAULT : NULL;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			o->config = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'v':
			puts("strata-vswitchd " STRATA_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs("Try --help.\n", stderr);
			return EXIT_CONFIG + 1;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "strata-vswitchd: '%s' is no option. Try --help.\n", argv[optind]);
	return EXIT_CONFIG + 1;
}

static void log_line(enum preflight_level level, const char *text)
{
	switch (level) {
	case PREFLIGHT_OK:
		log_debug("%s", text);
		break;
	case PREFLIGHT_INSTEAD:
		log_notice("%s", text);
		break;
	case PREFLIGHT_FATAL:
		(void)log_err(0, "%s", text);
		break;
	}
}

static void print_line(enum preflight_level level, const char *text)
{
	static const char *const words[] = {
		[PREFLIGHT_OK] = "ok", [PREFLIGHT_INSTEAD] = "note", [PREFLIGHT_FATAL] = "ERROR"};

	printf("%-5s %s\n", words[level], text);
}

static int check(const struct options *o, const struct config *c)
{
	struct preflight_result result;

	printf("%-5s configuration: %s\n", "ok", o->config != NULL ? o->config : "defaults");
	preflight_run(c, print_line, &result);
	return result.n_fatal > 0 ? EXIT_PREFLIGHT : EXIT_SUCCESS;
}

static int run(struct daemon *d)
{
	struct preflight_result result;
	char why[EAL_WHY_MAX];

	log_set_level(d->config.log_level);
	preflight_run(&d->config, log_line, &result);
	if (result.n_fatal > 0)
		return EXIT_PREFLIGHT;
	if (daemon_directories(&d->config) < 0)
		return EXIT_FAILURE;
	d->hugepages = result.hugepages;
	if (eal_start(&d->config, d->hugepages, why) < 0) {
		(void)log_err(0, "%s", why);
		return EXIT_FAILURE;
	}
	int ret = daemon_run(d);
	eal_stop();
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	char error[512];

	int stop = parse_options(argc, argv, &o);
	if (stop != 0)
		return stop - 1;
	(void)signal(SIGPIPE, SIG_IGN); // a client that leaves is an error of a write
	struct daemon *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return EXIT_FAILURE;
	if (config_load(o.config, &d->config, error) < 0) {
		fprintf(stderr, "strata-vswitchd: %s\n", error);
		free(d);
		return EXIT_CONFIG;
	}
	numa_place(&d->config);
	int code = o.check ? check(&o, &d->config) : run(d);
	config_fini(&d->config);
	free(d);
	return code;
}
