#include "ctrl/store/kube_access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/base64.h"
#include "ctrl/store/yaml.h"

// What a parse is about; message belongs to the caller.
struct context {
	const char *path;
	char *message;
	struct kube_access *a;
};

static int wrong(const struct context *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int wrong(const struct context *c, const char *format, ...)
{
	char what[192];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	(void)snprintf(c->message, MODEL_ERROR_MAX, "%.60s: %s", c->path, what);
	return -EINVAL;
}

static const char *string_of(const cJSON *obj, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static int set(char **to, const char *text)
{
	if (text == NULL)
		return 0;
	*to = strdup(text);
	return *to != NULL ? 0 : -ENOMEM;
}

// A path as the kubeconfig has it: relative to the kubeconfig.
static int set_path(const struct context *c, char **to, const char *path)
{
	const char *slash = strrchr(c->path, '/');
	int len = slash != NULL && path[0] != '/' ? (int)(slash - c->path) + 1 : 0;

	if (asprintf(to, "%.*s%s", len, c->path, path) < 0) {
		*to = NULL;
		return -ENOMEM;
	}
	return 0;
}

// data (base64) goes before the file, as with kubectl.
static int set_secret(const struct context *c, struct kube_secret *s, const cJSON *obj,
	const char *file_name, const char *data_name)
{
	const char *data = string_of(obj, data_name), *file = string_of(obj, file_name);

	if (data != NULL) {
		size_t len;

		s->text = base64_decode(data, &len);
		return s->text != NULL ? 0 : wrong(c, "%s is not base64", data_name);
	}
	return file != NULL ? set_path(c, &s->path, file) : 0;
}

// The entry of that name of a list like clusters: [{name: …, cluster: {…}}]. NULL if there is none.
static const cJSON *named(const cJSON *config, const char *list, const char *name, const char *what)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(config, list)) {
		const char *its_name = string_of(item, "name");

		if (its_name != NULL && strcmp(its_name, name) == 0)
			return cJSON_GetObjectItemCaseSensitive(item, what);
	}
	return NULL;
}

static int set_server(const struct context *c, const char *url)
{
	if (url == NULL)
		return wrong(c, "the cluster has no server");
	if (strncmp(url, "https://", 8) != 0)
		return wrong(c, "server '%.100s' is not an https URL", url);
	int ret = set(&c->a->server, url);
	if (ret < 0)
		return ret;
	size_t len = strlen(c->a->server);
	while (len > 0 && c->a->server[len - 1] == '/')
		c->a->server[--len] = '\0';
	return 0;
}

static int set_cluster(const struct context *c, const cJSON *cluster)
{
	struct kube_access *a = c->a;
	int ret = set_server(c, string_of(cluster, "server"));

	if (ret == 0)
		ret = set_secret(
			c, &a->ca, cluster, "certificate-authority", "certificate-authority-data");
	if (ret == 0)
		ret = set(&a->server_name, string_of(cluster, "tls-server-name"));
	if (ret == 0)
		ret = set(&a->proxy, string_of(cluster, "proxy-url"));
	a->insecure =
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cluster, "insecure-skip-tls-verify"));
	return ret;
}

static int set_user(const struct context *c, const cJSON *user)
{
	// Ways in that would need a program or a password; the server has had no passwords since 1.19.
	static const char *const unknown[] = {
		"exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups"};
	struct kube_access *a = c->a;
	const char *token = string_of(user, "token"), *file = string_of(user, "tokenFile");
	int ret = set_secret(c, &a->cert, user, "client-certificate", "client-certificate-data");

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		if (cJSON_GetObjectItemCaseSensitive(user, unknown[i]) != NULL)
			return wrong(c, "the user's '%s' is not supported", unknown[i]);
	}
	if (ret == 0)
		ret = set_secret(c, &a->key, user, "client-key", "client-key-data");
	if (ret == 0 && file != NULL) // goes before token, as with kubectl
		ret = set_path(c, &a->token.path, file);
	else if (ret == 0)
		ret = set(&a->token.text, token);
	if (ret < 0)
		return ret;
	bool has_cert = a->cert.path != NULL || a->cert.text != NULL;
	bool has_key = a->key.path != NULL || a->key.text != NULL;
	if (has_cert != has_key)
		return wrong(c, "the user has a client %s only", has_cert ? "certificate" : "key");
	return 0;
}

static int parse_config(const struct context *c, const cJSON *config)
{
	const char *current = string_of(config, "current-context");

	if (current == NULL)
		return wrong(c, "no current-context");
	const cJSON *context = named(config, "contexts", current, "context");
	if (context == NULL)
		return wrong(c, "no context '%.100s'", current);
	const char *cluster_name = string_of(context, "cluster"),
		   *user = string_of(context, "user");
	if (cluster_name == NULL || user == NULL)
		return wrong(c, "context '%.100s' lacks a cluster or a user", current);
	const cJSON *cluster = named(config, "clusters", cluster_name, "cluster");
	if (cluster == NULL)
		return wrong(c, "no cluster '%.100s'", cluster_name);
	const cJSON *its_user = named(config, "users", user, "user");
	if (its_user == NULL)
		return wrong(c, "no user '%.100s'", user);
	int ret = set_cluster(c, cluster);
	if (ret == 0)
		ret = set_user(c, its_user);
	if (ret == 0)
		ret = set(&c->a->namespace, string_of(context, "namespace"));
	return ret;
}

static int parse_documents(const char *path, const struct yaml_documents *docs,
	struct kube_access *ret_access, char message[MODEL_ERROR_MAX])
{
	struct kube_access a = {0};
	struct context c = {.path = path, .message = message, .a = &a};
	int ret = docs->n == 1 ? parse_config(&c, docs->doc[0].json)
			       : wrong(&c, "%zu documents instead of one", docs->n);

	if (ret == -ENOMEM)
		(void)snprintf(message, MODEL_ERROR_MAX, "out of memory");
	if (ret < 0)
		kube_access_fini(&a);
	else
		*ret_access = a;
	return ret;
}

// text: NULL for what is in the file at path.
static int parse(const char *path, const char *text, size_t len, struct kube_access *ret_access,
	char message[MODEL_ERROR_MAX])
{
	struct yaml_documents docs = {0};
	char error[YAML_ERROR_MAX];
	int ret = text != NULL ? yaml_parse_text(path, text, len, &docs, error)
			       : yaml_parse_file(path, &docs, error);

	if (ret < 0) {
		(void)snprintf(message, MODEL_ERROR_MAX, "%.250s", error);
		return ret;
	}
	ret = parse_documents(path, &docs, ret_access, message);
	yaml_documents_free(&docs);
	return ret;
}

int kube_access_parse(const char *path, const char *text, size_t len,
	struct kube_access *ret_access, char message[MODEL_ERROR_MAX])
{
	return parse(path, text, len, ret_access, message);
}

int kube_access_read(
	const char *path, struct kube_access *ret_access, char message[MODEL_ERROR_MAX])
{
	return parse(path, NULL, 0, ret_access, message);
}

// The account's namespace; without it, "default" will do.
static char *account_namespace(const char *root)
{
	char path[512], text[64] = "";

	(void)snprintf(path, sizeof(path), "%.480s/namespace", root);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	text[strcspn(text, " \t\r\n")] = '\0';
	return text[0] != '\0' ? strdup(text) : NULL;
}

int kube_access_in_cluster(const char *root, const char *host, const char *port,
	struct kube_access *ret_access, char message[MODEL_ERROR_MAX])
{
	struct kube_access a = {0};
	struct in6_addr ip;

	if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
		(void)snprintf(message, MODEL_ERROR_MAX,
			"not in a cluster: no KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT "
			"in the environment, and no kubeconfig given");
		return -ENOENT;
	}
	bool is_v6 = inet_pton(AF_INET6, host, &ip) == 1;
	int ret = asprintf(
		&a.server, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
	if (ret >= 0)
		ret = asprintf(&a.ca.path, "%s/ca.crt", root);
	if (ret >= 0)
		ret = asprintf(&a.token.path, "%s/token", root);
	if (ret < 0) {
		(void)snprintf(message, MODEL_ERROR_MAX, "out of memory");
		return -ENOMEM; // what asprintf has left undefined cannot be freed
	}
	a.namespace = account_namespace(root);
	*ret_access = a;
	return 0;
}

static void secret_fini(struct kube_secret *s)
{
	free(s->path);
	free(s->text);
}

void kube_access_fini(struct kube_access *a)
{
	free(a->server);
	free(a->server_name);
	free(a->proxy);
	free(a->namespace);
	secret_fini(&a->ca);
	secret_fini(&a->cert);
	secret_fini(&a->key);
	secret_fini(&a->token);
	*a = (struct kube_access){0};
}
