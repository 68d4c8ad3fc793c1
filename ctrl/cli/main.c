// stratactl: look at, and with the dir store change, what one node's daemon knows.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/cli/commands.h"

#define DEFAULT_SOCKET "/run/strata/vswitchd.sock"
#define EXIT_USAGE 2

static void print_listings(FILE *f, const char *verb, const struct listing *listings)
{
	for (const struct listing *l = listings; l->name != NULL; l++)
		fprintf(f, "  %s %-12s %s\n", verb, l->name, l->help);
}

static void print_help(FILE *f)
{
	fputs("usage: stratactl [OPTIONS] COMMAND\n\nObjects of the cluster:\n", f);
	print_listings(f, "get", get_listings);
	fputs("  get KIND NAME    one object\n"
	      "  apply -f FILE    create or change the objects in a YAML file, - for stdin (dir "
	      "store)\n"
	      "  delete KIND NAME delete an object (dir store)\n\n"
	      "This node's switch:\n",
		f);
	print_listings(f, "show", show_listings);
	fputs("\nOptions:\n"
	      "  -n, --namespace NS    only objects of that namespace\n"
	      "  -o, --output FORMAT   table (default) or json\n"
	      "  -w, --watch           go on: get prints changes, show prints again every second\n"
	      "  -s, --socket PATH     the daemon's socket (default: $STRATA_SOCKET, else\n"
	      "                        " DEFAULT_SOCKET ")\n"
	      "  -h, --help            this text\n"
	      "  -V, --version         stratactl's own version\n",
		f);
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "stratactl: %s '%s'; see stratactl --help\n", what, word);
	return EXIT_USAGE;
}

static int run(const struct options *o, int n, char **words)
{
	const char *verb = n > 0 ? words[0] : "";
	const char *kind = n > 1 ? words[1] : "";
	const char *name = n > 2 ? words[2] : NULL;
	const struct listing *listing;

	if (n == 0) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(verb, "apply") == 0)
		return o->file != NULL && n == 1 ? command_apply(o)
						 : usage("-f FILE is missing after", verb);
	if (strcmp(verb, "show") == 0) {
		listing = listing_find(show_listings, kind);
		return listing != NULL && n == 2 ? command_show(o, listing)
						 : usage("cannot show", kind);
	}
	if (strcmp(verb, "get") != 0 && strcmp(verb, "delete") != 0)
		return usage("unknown command", verb);

	listing = listing_find(get_listings, kind);
	if (listing == NULL)
		return usage("unknown kind", kind);
	if (n > 3)
		return usage("unexpected", words[3]);
	if (strcmp(verb, "get") == 0)
		return command_get(o, listing, name);
	return name != NULL ? command_delete(o, listing, name)
			    : usage("name is missing after", kind);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"socket", required_argument, NULL, 's'},
		{"namespace", required_argument, NULL, 'n'},
		{"output", required_argument, NULL, 'o'},
		{"filename", required_argument, NULL, 'f'},
		{"watch", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *socket = getenv("STRATA_SOCKET");
	struct options o = {.socket = socket != NULL ? socket : DEFAULT_SOCKET};

	for (int opt; (opt = getopt_long(argc, argv, "s:n:o:f:whV", long_options, NULL)) != -1;) {
		switch (opt) {
		case 's':
			o.socket = optarg;
			break;
		case 'n':
			o.namespace = optarg;
			break;
		case 'f':
			o.file = optarg;
			break;
		case 'w':
			o.watch = true;
			break;
		case 'o':
			if (strcmp(optarg, "json") != 0 && strcmp(optarg, "table") != 0)
				return usage("unknown output format", optarg);
			o.json = strcmp(optarg, "json") == 0;
			break;
		case 'h':
			print_help(stdout);
			return 0;
		case 'V':
			puts("stratactl " STRATA_VERSION);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	return run(&o, argc - optind, argv + optind);
}
