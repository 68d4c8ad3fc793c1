#include "ctrl/cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libsmartcols/libsmartcols.h>

#define CELL_MAX 1024
#define PATH_PART_MAX 64

const struct listing *listing_find(const struct listing *listings, const char *name)
{
	size_t len = strlen(name);

	for (const struct listing *l = listings; l->name != NULL; l++) {
		size_t own = strlen(l->name);

		// "network", "networks", "nodeinfoes", "networks.networking.alibaba.com"
		if (len < own || strncasecmp(name, l->name, own) != 0)
			continue;
		const char *rest = name + own;
		const char *group = strchr(rest, '.');
		size_t plural = group != NULL ? (size_t)(group - rest) : strlen(rest);
		if (plural == 0 || (plural == 1 && strncasecmp(rest, "s", 1) == 0) ||
			(plural == 2 && strncasecmp(rest, "es", 2) == 0))
			return l;
	}
	return NULL;
}

static const cJSON *at_path(const cJSON *record, const char *path)
{
	while (record != NULL && *path != '\0') {
		char part[PATH_PART_MAX];
		size_t len = strcspn(path, ".");

		(void)snprintf(part, sizeof(part), "%.*s", (int)len, path);
		record = cJSON_GetObjectItemCaseSensitive(record, part);
		path += len + (path[len] == '.');
	}
	return record;
}

static void append(char *cell, const char *text)
{
	size_t len = strlen(cell);

	(void)snprintf(cell + len, CELL_MAX - len, "%s", text);
}

static void append_value(char *cell, const cJSON *value)
{
	char number[32];
	const cJSON *item;

	if (cJSON_IsString(value)) {
		append(cell, value->valuestring);
	} else if (cJSON_IsNumber(value)) {
		(void)snprintf(number, sizeof(number), "%.15g", value->valuedouble);
		append(cell, number);
	} else if (cJSON_IsBool(value)) {
		append(cell, cJSON_IsTrue(value) ? "yes" : "no");
	} else if (cJSON_IsArray(value)) {
		cJSON_ArrayForEach (item, value) {
			if (item != value->child)
				append(cell, ",");
			append_value(cell, item);
		}
	}
}

static int add_row(struct libscols_table *table, const struct listing *listing, const cJSON *record)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (line == NULL)
		return -ENOMEM;
	for (size_t i = 0; listing->columns[i].header != NULL; i++) {
		const struct column *column = &listing->columns[i];
		const cJSON *value = at_path(record, column->path);
		char cell[CELL_MAX] = "";

		append_value(cell, value);
		if (cell[0] == '\0' && column->fallback != NULL)
			append(cell, column->fallback);
		if (scols_line_set_data(line, i, cell) < 0)
			return -ENOMEM;
	}
	return 0;
}

int table_print(const struct listing *listing, const cJSON *records, bool heading)
{
	struct libscols_table *table = scols_new_table();
	const cJSON *record;
	int ret = table != NULL ? 0 : -ENOMEM;

	if (ret < 0)
		return ret;
	scols_table_enable_noheadings(table, !heading);
	scols_table_set_column_separator(table, "   ");
	// Rows are for grep and awk as well: never cut or wrapped to a terminal's width.
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (const struct column *c = listing->columns; ret == 0 && c->header != NULL; c++) {
		if (scols_table_new_column(table, c->header, 0, c->right ? SCOLS_FL_RIGHT : 0) ==
			NULL)
			ret = -ENOMEM;
	}
	cJSON_ArrayForEach (record, records) {
		if (ret == 0)
			ret = add_row(table, listing, record);
	}
	if (ret == 0)
		ret = scols_print_table(table);
	scols_unref_table(table);
	return ret;
}
