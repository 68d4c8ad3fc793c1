// apply and delete, which go through the daemon's admission (dir store).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/cli/commands.h"
#include "ctrl/store/yaml.h"

// "network.networking.alibaba.com/underlay-network1", as kubectl names what it changed.
static void print_done(const cJSON *obj, const char *what)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "kind"));
	const char *api = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "apiVersion"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	const char *slash = api != NULL ? strchr(api, '/') : NULL;

	for (const char *k = kind != NULL ? kind : "object"; *k != '\0'; k++)
		putchar(*k >= 'A' && *k <= 'Z' ? *k - 'A' + 'a' : *k);
	if (slash != NULL)
		printf(".%.*s", (int)(slash - api), api);
	printf("/%s %s\n", name != NULL ? name : "?", what);
}

// Sends one change on a connection of its own. 0, or 1 after saying why.
static int change(const struct options *o, const cJSON *request, cJSON **ret_answer)
{
	struct client *c = client_open(o->socket);
	int failed = c == NULL || client_send(c, request) < 0;

	if (!failed) {
		*ret_answer = client_next(c, &failed);
		failed |= *ret_answer == NULL;
	}
	client_close(c);
	return failed;
}

static int apply_object(const struct options *o, cJSON *obj)
{
	cJSON *request = cJSON_CreateObject();
	cJSON *answer = NULL;

	cJSON_AddItemReferenceToObject(request, "apply", obj);
	int failed = change(o, request, &answer);
	if (!failed) {
		const char *action =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "action"));
		print_done(obj, action != NULL ? action : "configured");
	}
	cJSON_Delete(answer);
	cJSON_Delete(request);
	return failed;
}

// All of stdin, within the limit of a file.
static int parse_stdin(struct yaml_documents *ret_docs, char error[YAML_ERROR_MAX])
{
	char *text = malloc(YAML_FILE_MAX + 1);
	size_t len = text != NULL ? fread(text, 1, YAML_FILE_MAX + 1, stdin) : 0;
	int ret = text != NULL ? yaml_parse_text("<stdin>", text, len, ret_docs, error) : -ENOMEM;

	free(text);
	return ret;
}

int command_apply(const struct options *o)
{
	struct yaml_documents docs;
	char error[YAML_ERROR_MAX] = "out of memory";
	int failed = 0;

	int ret = strcmp(o->file, "-") == 0 ? parse_stdin(&docs, error)
					    : yaml_parse_file(o->file, &docs, error);
	if (ret < 0) {
		fprintf(stderr, "Error: %s\n", error);
		return 1;
	}
	// One refused object does not keep the others out, as with kubectl.
	for (size_t i = 0; i < docs.n; i++)
		failed |= apply_object(o, docs.doc[i].json);
	yaml_documents_free(&docs);
	return failed;
}

int command_delete(const struct options *o, const struct listing *listing, const char *name)
{
	cJSON *request = cJSON_CreateObject();
	cJSON *what = cJSON_AddObjectToObject(request, "delete");
	cJSON *answer = NULL;

	cJSON_AddStringToObject(what, "kind", listing->name);
	cJSON_AddStringToObject(what, "name", name);
	if (o->namespace != NULL)
		cJSON_AddStringToObject(what, "namespace", o->namespace);
	int failed = change(o, request, &answer);
	if (!failed)
		printf("%s \"%s\" deleted\n", listing->name, name);
	cJSON_Delete(answer);
	cJSON_Delete(request);
	return failed;
}
