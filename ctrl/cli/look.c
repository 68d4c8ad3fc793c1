// get and show: ask for records once, or again and again, and print them as a table or as JSON.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/cli/commands.h"

static int print_json(const cJSON *obj)
{
	char *text = cJSON_Print(obj);

	if (text == NULL)
		return -ENOMEM;
	puts(text);
	cJSON_free(text);
	return 0;
}

// `kubectl get -o json` gives the object itself when one was asked for by name, else a List.
static int print_objects_json(cJSON *items, bool single)
{
	if (single && cJSON_GetArraySize(items) == 1)
		return print_json(cJSON_GetArrayItem(items, 0));

	cJSON *list = cJSON_CreateObject();
	cJSON_AddStringToObject(list, "apiVersion", "v1");
	cJSON_AddStringToObject(list, "kind", "List");
	cJSON_AddItemReferenceToObject(list, "items", items);
	int ret = print_json(list);
	cJSON_Delete(list);
	return ret;
}

// Prints the events of a watch, one row or one compact object a line.
static int follow(const struct options *o, const struct listing *listing, struct client *c)
{
	int failed = 0;

	for (cJSON *event; (event = client_next(c, &failed)) != NULL;) {
		cJSON *obj = cJSON_GetObjectItemCaseSensitive(event, "object");
		cJSON *rows = cJSON_CreateArray();

		cJSON_AddItemReferenceToArray(rows, obj);
		if (o->json)
			(void)print_json(event);
		else if (obj != NULL)
			(void)table_print(listing, rows, false);
		(void)fflush(stdout);
		cJSON_Delete(rows);
		cJSON_Delete(event);
	}
	return failed;
}

int command_get(const struct options *o, const struct listing *listing, const char *name)
{
	struct client *c = client_open(o->socket);
	cJSON *request = cJSON_CreateObject();
	cJSON *answer = NULL;
	int failed = 0;

	cJSON_AddStringToObject(request, "get", listing->name);
	if (name != NULL)
		cJSON_AddStringToObject(request, "name", name);
	if (o->namespace != NULL)
		cJSON_AddStringToObject(request, "namespace", o->namespace);
	if (o->watch)
		cJSON_AddTrueToObject(request, "watch");
	if (c == NULL || client_send(c, request) < 0)
		failed = 1;
	else
		answer = client_next(c, &failed);

	cJSON *items = cJSON_GetObjectItemCaseSensitive(answer, "items");
	if (answer == NULL) {
		failed = 1;
	} else if (cJSON_GetArraySize(items) == 0 && !o->json && !o->watch) {
		fprintf(stderr, name != NULL ? "Error: %s '%s' not found\n" : "No %s found\n",
			listing->name, name);
		failed = name != NULL;
	} else {
		int ret = o->json ? print_objects_json(items, name != NULL)
				  : table_print(listing, items, true);
		(void)fflush(stdout);
		failed = ret < 0;
	}
	if (o->watch && !failed)
		failed = follow(o, listing, c);
	cJSON_Delete(answer);
	cJSON_Delete(request);
	client_close(c);
	return failed;
}

int command_show(const struct options *o, const struct listing *listing)
{
	struct client *c = client_open(o->socket);
	cJSON *request = cJSON_CreateObject();
	int failed = 0;

	cJSON_AddStringToObject(request, "show", listing->name);
	if (o->watch) {
		cJSON_AddTrueToObject(request, "watch");
		cJSON_AddNumberToObject(request, "interval", WATCH_INTERVAL_MS);
	}
	if (c == NULL || client_send(c, request) < 0)
		failed = 1;

	bool first = true;
	for (cJSON *answer; !failed && (answer = client_next(c, &failed)) != NULL; first = false) {
		const cJSON *items = cJSON_GetObjectItemCaseSensitive(answer, "items");

		if (!first && !o->json)
			puts("");
		failed = (o->json ? print_json(items) : table_print(listing, items, true)) < 0;
		(void)fflush(stdout);
		cJSON_Delete(answer);
	}
	cJSON_Delete(request);
	client_close(c);
	return failed;
}
