// Finding an API server: kubeconfigs, service accounts, and credentials that change on disk.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/store/kube_access.h"
#include "ctrl/store/kube_client.h"
#include "ctrl/store/kube_credentials.h"
#include "loop.h"

#define PEM "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
#define CONFIG(cluster, user)                                                         \
	"{current-context: c, contexts: [{name: b, context: {cluster: x, user: x}}, " \
	"{name: c, context: {cluster: k, user: u, namespace: ns}}], "                 \
	"clusters: [{name: k, cluster: {" cluster "}}], users: [{name: u, user: {" user "}}]}"

static char message[MODEL_ERROR_MAX];

static int parse(const char *text, struct kube_access *a)
{
	message[0] = '\0';
	return kube_access_parse("/etc/kube/config", text, strlen(text), a, message);
}

static void assert_refused(const char *text, const char *why)
{
	struct kube_access a;

	assert_int_equal(parse(text, &a), -EINVAL);
	assert_string_equal(message, why);
}

static void the_current_context_says_where_and_who(void **)
{
	struct kube_access a;

	assert_int_equal(
		parse(CONFIG("server: \"https://h:6443/\", certificate-authority: pki/ca.crt, "
			     "tls-server-name: kubernetes",
			      "client-certificate: /c.pem, client-key-data: a2V5, tokenFile: t"),
			&a),
		0);
	assert_string_equal(a.server, "https://h:6443");
	assert_string_equal(a.ca.path, "/etc/kube/pki/ca.crt");
	assert_string_equal(a.server_name, "kubernetes");
	assert_string_equal(a.cert.path, "/c.pem");
	assert_string_equal(a.key.text, "key");
	assert_string_equal(a.token.path, "/etc/kube/t");
	assert_string_equal(a.namespace, "ns");
	assert_false(a.insecure);
	kube_access_fini(&a);
}

static void data_goes_before_files_and_a_token_file_before_a_token(void **)
{
	struct kube_access a;

	assert_int_equal(
		parse(CONFIG("server: \"https://h\", certificate-authority: x, "
			     "certificate-authority-data: Y2E=, insecure-skip-tls-verify: true",
			      "token: abc"),
			&a),
		0);
	assert_string_equal(a.ca.text, "ca");
	assert_null(a.ca.path);
	assert_string_equal(a.token.text, "abc");
	assert_true(a.insecure);
	kube_access_fini(&a);
	assert_int_equal(
		parse(CONFIG("server: \"https://h\"", "token: abc, tokenFile: /t"), &a), 0);
	assert_null(a.token.text);
	assert_string_equal(a.token.path, "/t");
	kube_access_fini(&a);
}

static void a_kubeconfig_that_leaves_something_open_is_refused(void **)
{
	assert_refused("{}", "/etc/kube/config: no current-context");
	assert_refused("{current-context: d}", "/etc/kube/config: no context 'd'");
	assert_refused("{current-context: d, contexts: [{name: d, context: {cluster: k}}]}",
		"/etc/kube/config: context 'd' lacks a cluster or a user");
	assert_refused(
		"{current-context: d, contexts: [{name: d, context: {cluster: k, user: u}}]}",
		"/etc/kube/config: no cluster 'k'");
	assert_refused(CONFIG("a: b", "token: x"), "/etc/kube/config: the cluster has no server");
	assert_refused(CONFIG("server: \"http://h\"", "token: x"),
		"/etc/kube/config: server 'http://h' is not an https URL");
	assert_refused(CONFIG("server: \"https://h\"", "client-key: k"),
		"/etc/kube/config: the user has a client key only");
	assert_refused(CONFIG("server: \"https://h\"", "exec: {command: x}"),
		"/etc/kube/config: the user's 'exec' is not supported");
	assert_refused(CONFIG("server: \"https://h\", certificate-authority-data: \"%%\"", "a: b"),
		"/etc/kube/config: certificate-authority-data is not base64");
	assert_refused("a: b\n---\nc: d\n", "/etc/kube/config: 2 documents instead of one");
}

static void a_pod_finds_its_server_in_the_environment(void **)
{
	struct kube_access a;
	char path[128];

	assert_int_equal(kube_access_in_cluster("/sa", NULL, "443", &a, message), -ENOENT);
	assert_non_null(strstr(message, "not in a cluster"));
	put_file("namespace", "kube-system\n");
	assert_int_equal(kube_access_in_cluster(loop_dir, "fd00::1", "443", &a, message), 0);
	assert_string_equal(a.server, "https://[fd00::1]:443");
	(void)snprintf(path, sizeof(path), "%s/token", loop_dir);
	assert_string_equal(a.token.path, path);
	(void)snprintf(path, sizeof(path), "%s/ca.crt", loop_dir);
	assert_string_equal(a.ca.path, path);
	assert_string_equal(a.namespace, "kube-system");
	kube_access_fini(&a);
	assert_int_equal(kube_access_in_cluster("/sa", "10.96.0.1", "443", &a, message), 0);
	assert_string_equal(a.server, "https://10.96.0.1:443");
	assert_null(a.namespace);
	kube_access_fini(&a);
}

static void credentials_follow_their_files_and_survive_a_half_written_one(void **)
{
	struct kube_access a;
	struct kube_credentials c;
	char first[sizeof(c.ca.path)];
	bool changed;

	put_file("token", "one\n");
	put_file("ca.crt", PEM);
	assert_int_equal(kube_access_in_cluster(loop_dir, "10.96.0.1", "443", &a, message), 0);
	assert_int_equal(kube_credentials_init(&c, &a, message), 0);
	assert_string_equal(c.token, "one");
	memcpy(first, c.ca.path, sizeof(first));
	assert_int_equal(kube_credentials_refresh(&c, &changed, message), 0);
	assert_false(changed);

	put_file("token", "two");
	put_file("ca.crt", "%sof another\n", PEM);
	assert_int_equal(kube_credentials_refresh(&c, &changed, message), 0);
	assert_true(changed);
	assert_string_equal(c.token, "two");
	assert_string_not_equal(c.ca.path, first); // so that old connections are not taken for it

	put_file("token", "three");
	put_file("ca.crt", "-----BEGIN CERTIFI");
	assert_int_equal(kube_credentials_refresh(&c, &changed, message), -EINVAL);
	assert_true(changed);
	assert_string_equal(c.token, "three");
	assert_non_null(strstr(c.ca.text, "of another"));
	remove_file("token");
	assert_int_equal(kube_credentials_refresh(&c, &changed, message), -ENOENT);
	assert_string_equal(c.token, "three");
	put_file("token", "a\nHost: b");
	assert_int_equal(kube_credentials_refresh(&c, &changed, message), -EINVAL);
	assert_string_equal(c.token, "three");
	kube_credentials_fini(&c);
	kube_access_fini(&a);
}

static void a_server_whose_certificate_is_not_looked_at_must_be_asked_for(void **)
{
	char path[128];
	struct kube_client *client;

	put_file("config", "%s",
		CONFIG("server: \"https://h\", insecure-skip-tls-verify: true", "token: x"));
	(void)snprintf(path, sizeof(path), "%s/config", loop_dir);
	struct kube_conf conf = {.kubeconfig = path, .component = "test"};
	assert_int_equal(kube_client_open(&loop, &conf, &client, message), -EINVAL);
	assert_non_null(strstr(message, "insecure-skip-tls-verify would trust any server"));
	conf.allow_insecure = true;
	assert_int_equal(kube_client_open(&loop, &conf, &client, message), 0);
	assert_string_equal(kube_namespace(client), "ns");
	kube_client_close(client);
	conf.kubeconfig = "/nowhere/config";
	assert_int_equal(kube_client_open(&loop, &conf, &client, message), -ENOENT);
	assert_non_null(strstr(message, "/nowhere/config"));
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, loop_setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_current_context_says_where_and_who),
		cmocka_unit_test(data_goes_before_files_and_a_token_file_before_a_token),
		cmocka_unit_test(a_kubeconfig_that_leaves_something_open_is_refused),
		LOOP_TEST(a_pod_finds_its_server_in_the_environment),
		LOOP_TEST(credentials_follow_their_files_and_survive_a_half_written_one),
		LOOP_TEST(a_server_whose_certificate_is_not_looked_at_must_be_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
