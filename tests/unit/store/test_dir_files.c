// The dir store and files that people write: which objects are in them, and what is left as it was.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dir_world.h"
#include "loop.h"

static const char article[] = ARTICLE;

static void objects_in_any_file_are_listed_then_synced(void **)
{
	struct seen s;

	put_file("article.yaml", "%s", article);
	put_file("networks/a.json", "%s", NETWORK("a", ""));
	put_file("pods/x/p.yml", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}}");
	put_file("notes.txt", "not an object");
	put_file(".hidden.yaml", "also: not");
	put_file("networks/a.yaml~", "nor: this");
	open_store(&s);
	assert_int_equal(s.n_put, 4);
	assert_non_null(
		strstr(s.log, "PUT Network underlay-network1\nPUT Subnet underlay-subnet1\n"));
	assert_null(strstr(s.log, "BROKEN"));
	close_store(&s);
}

static void deleting_one_document_leaves_the_rest_byte_for_byte(void **)
{
	struct seen s;

	put_file("article.yaml", "# ours\n%s", article);
	open_store(&s);
	assert_int_equal(do_delete(s.store, KIND_SUBNET, NULL, "underlay-subnet1"), 0);
	expect_log(&s, "DELETED Subnet underlay-subnet1\n");
	char *text = get_file("article.yaml");
	char want[sizeof(article) + 16];
	(void)snprintf(want, sizeof(want), "# ours\n%.*s",
		(int)(strstr(article + 4, "---\n") - article), article);
	assert_string_equal(text, want);
	free(text);
	assert_int_equal(do_delete(s.store, KIND_NETWORK, NULL, "underlay-network1"), 0);
	assert_false(has_file("article.yaml"));
	close_store(&s);
}

static void updating_one_document_leaves_the_rest_byte_for_byte(void **)
{
	struct seen s;

	put_file("article.yaml", "%s", article);
	open_store(&s);
	assert_int_equal(
		do_update(s.store,
			"{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-subnet1\"},"
			"\"spec\":{\"network\":\"n\"}}"),
		0);
	char *text = get_file("article.yaml");
	size_t first = (size_t)(strstr(article + 4, "---\n") - article);
	assert_memory_equal(text, article, first);
	assert_string_equal(text + first,
		"---\napiVersion: networking.alibaba.com/v1\nkind: Subnet\nmetadata:\n"
		"  name: underlay-subnet1\nspec:\n  network: \"n\"\n");
	free(text);
	close_store(&s);
}

static void a_file_that_breaks_keeps_its_objects_in_force(void **)
{
	struct seen s;

	put_file("a.yaml", "%s", article);
	open_store(&s);
	put_file("a.yaml", "%.*s", 60, article); // `kind: Netwo`
	expect_log(&s, "BROKEN  a.yaml:");
	s.log[0] = '\0';
	put_file("a.yaml", "a: [\n");
	expect_log(&s, "BROKEN  a.yaml:2:1: ");
	put_file("a.yaml", "%s", article);
	loop_for(300);
	assert_null(strstr(s.log, "DELETED Subnet"));
	close_store(&s);
}

static void a_file_is_read_when_its_writer_is_done(void **)
{
	struct seen s;
	char path[128];

	open_store(&s);
	(void)snprintf(path, sizeof(path), "%s/slow.yaml", loop_dir);
	FILE *f = fopen(path, "w");
	fwrite(article, 1, 40, f);
	fflush(f);
	loop_for(200);
	fwrite(article + 40, 1, sizeof(article) - 41, f);
	fclose(f);
	expect_log(&s, "PUT Subnet underlay-subnet1\n");
	assert_null(strstr(s.log, "BROKEN"));
	close_store(&s);
}

static void bad_documents_are_named_and_the_others_stay(void **)
{
	struct seen s;

	put_file("bad.yaml",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\n"
		"[1]\n---\n{apiVersion: networking.alibaba.com/v1, kind: Network, metadata: {name: "
		"good}}\n---\n"
		"apiVersion: networking.alibaba.com/v1\nkind: Network\nmetadata: {name: Bad}\n");
	open_store(&s);
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:1: unknown kind 'NetworkPolicy' of "
				      "apiVersion 'networking.k8s.io/v1'\n"));
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:5: not an object\n"));
	assert_non_null(strstr(s.log, "PUT Network good\n"));
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:9: metadata.name 'Bad' is not a name\n"));
	close_store(&s);
}

static void nodes_and_namespaces_are_an_api_servers(void **)
{
	struct seen s;

	put_file("nodes/node1.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: node1}\n");
	put_file("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n");
	open_store(&s);
	assert_non_null(strstr(s.log, "ns.yaml:1: unknown kind 'Namespace' of apiVersion 'v1'\n"));
	assert_null(strstr(s.log, "PUT"));
	assert_int_equal(do_create(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Node\","
					    "\"metadata\":{\"name\":\"node1\"}}"),
		-EINVAL);
	close_store(&s);
}

static void the_first_of_two_definitions_stays(void **)
{
	struct seen s;

	put_file("a.yaml", "%s", NETWORK("n", "\"netID\":1"));
	put_file("b.yaml", "%s", NETWORK("n", "\"netID\":2"));
	open_store(&s);
	expect_log(&s, "PUT Network n\nBROKEN  b.yaml: Network 'n' is already defined in a.yaml\n");
	remove_file("a.yaml");
	expect_log(&s, "DELETED Network n\nPUT Network n\n");
	close_store(&s);
}

static void a_renamed_file_deletes_nothing(void **)
{
	struct seen s;
	char from[128], to[128];

	put_file("a.yaml", "%s", article);
	open_store(&s);
	(void)snprintf(from, sizeof(from), "%s/a.yaml", loop_dir);
	(void)snprintf(to, sizeof(to), "%s/b.yaml", loop_dir);
	assert_int_equal(rename(from, to), 0);
	loop_for(400);
	assert_null(strstr(s.log, "DELETED"));
	assert_null(strstr(s.log, "BROKEN"));
	remove_file("b.yaml");
	expect_log(&s, "DELETED Network underlay-network1\n");
	close_store(&s);
}

static void all_daemons_give_a_written_object_the_same_uid_and_version(void **)
{
	struct seen a, b;

	put_file("a.yaml", "%s", article);
	open_store(&a);
	open_store(&b);
	const char *status = "{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-"
			     "subnet1\"},\"status\":{\"used\":1}}";
	assert_int_equal(do_update_status(a.store, status), 0);
	char uid[64], version[64];
	(void)snprintf(uid, sizeof(uid), "%s", meta(last.obj, "uid"));
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	assert_int_equal(do_update_status(b.store, status), 0);
	assert_string_equal(meta(last.obj, "uid"), uid);
	assert_string_equal(meta(last.obj, "resourceVersion"), version);
	close_store(&a);
	close_store(&b);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(objects_in_any_file_are_listed_then_synced),
		DIR_TEST(deleting_one_document_leaves_the_rest_byte_for_byte),
		DIR_TEST(updating_one_document_leaves_the_rest_byte_for_byte),
		DIR_TEST(a_file_that_breaks_keeps_its_objects_in_force),
		DIR_TEST(a_file_is_read_when_its_writer_is_done),
		DIR_TEST(bad_documents_are_named_and_the_others_stay),
		DIR_TEST(nodes_and_namespaces_are_an_api_servers),
		DIR_TEST(the_first_of_two_definitions_stays),
		DIR_TEST(a_renamed_file_deletes_nothing),
		DIR_TEST(all_daemons_give_a_written_object_the_same_uid_and_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
