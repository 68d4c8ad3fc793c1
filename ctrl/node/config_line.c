// Where in its file a configuration key stands. Only asked when something is wrong, so the file is
// read once more, by libfyaml's tree, which remembers places.
#include "ctrl/node/config_keys.h"

#include <string.h>

#include <libfyaml.h>

static struct fy_node_pair *find_pair(struct fy_node *mapping, const char *key, size_t len)
{
	struct fy_node_pair *pair;
	void *iter = NULL;

	while ((pair = fy_node_mapping_iterate(mapping, &iter)) != NULL) {
		size_t n;
		const char *text = fy_node_get_scalar(fy_node_pair_key(pair), &n);

		if (text != NULL && n == len && memcmp(text, key, len) == 0)
			return pair;
	}
	return NULL;
}

unsigned int config_line(const char *file, const char *path)
{
	const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET};
	struct fy_document *doc = fy_document_build_from_file(&cfg, file);
	struct fy_node *node = doc != NULL ? fy_document_root(doc) : NULL;
	unsigned int line = 0;

	while (node != NULL && fy_node_is_mapping(node)) {
		size_t len = strcspn(path, ".");
		struct fy_node_pair *pair = find_pair(node, path, len);
		struct fy_token *token =
			pair != NULL ? fy_node_get_scalar_token(fy_node_pair_key(pair)) : NULL;
		const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;

		if (mark == NULL)
			break;
		line = (unsigned int)mark->line + 1;
		node = fy_node_pair_value(pair);
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	fy_document_destroy(doc);
	return line;
}
