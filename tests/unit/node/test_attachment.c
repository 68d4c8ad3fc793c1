// Attachments: their files survive, whatever is done to them.
#include "ctrl/node/attachment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-attachment-XXXXXX";
static char why[ATTACHMENT_WHY_MAX];

static struct attachment sample(bool vhost)
{
	struct attachment a = {
		.container_id = "0123abcd.x_y-z",
		.ifname = "eth0",
		.netns = "/var/run/netns/x",
		.network_name = "strata",
		.namespace = "default",
		.pod = "web-0",
		.uid = "6e1f-22",
		.vhost = vhost,
		.mac = {0x02, 0x12, 0x34, 1, 2, 3},
		.mtu = 1450,
		.network = "network-0",
		.overlay = true,
		.n_addr = 2,
	};

	if (vhost) {
		strcpy(a.socket_path, "/run/strata/vhost-user/default_web-0_eth0/sock");
	} else {
		strcpy(a.host_ifname, "st0123456789abc");
		memcpy(a.host_mac, (uint8_t[]){0xaa, 1, 2, 3, 4, 5}, 6);
	}
	assert_int_equal(ip_parse("100.64.0.2", &a.addr[0].link.ip), 0);
	a.addr[0].link.prefix_len = 16;
	strcpy(a.addr[0].subnet, "subnet-0");
	assert_int_equal(ip_parse("fd00::2", &a.addr[1].link.ip), 0);
	a.addr[1].link.prefix_len = 64;
	strcpy(a.addr[1].subnet, "subnet-6");
	return a;
}

// What load_all found.
static struct {
	int n_good, n_bad;
	struct attachment last;
	char why[ATTACHMENT_WHY_MAX];
} found;

static void on_file(void *, const char *file, const struct attachment *a, const char *what)
{
	assert_non_null(strstr(file, directory));
	if (a != NULL) {
		found.n_good++;
		found.last = *a;
	} else {
		found.n_bad++;
		strcpy(found.why, what);
	}
}

static void load_all(void)
{
	memset(&found, 0, sizeof(found));
	assert_int_equal(attachment_load_all(directory, on_file, NULL), 0);
}

static void put(const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/attachments/%s", directory, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

// Field by field: padding need not be the same.
static void assert_same(const struct attachment *a, const struct attachment *b)
{
	assert_string_equal(a->container_id, b->container_id);
	assert_string_equal(a->ifname, b->ifname);
	assert_string_equal(a->netns, b->netns);
	assert_string_equal(a->network_name, b->network_name);
	assert_string_equal(a->namespace, b->namespace);
	assert_string_equal(a->pod, b->pod);
	assert_string_equal(a->uid, b->uid);
	assert_int_equal(a->vhost, b->vhost);
	assert_string_equal(a->host_ifname, b->host_ifname);
	assert_memory_equal(a->host_mac, b->host_mac, sizeof(a->host_mac));
	assert_string_equal(a->socket_path, b->socket_path);
	assert_memory_equal(a->mac, b->mac, sizeof(a->mac));
	assert_int_equal(a->mtu, b->mtu);
	assert_string_equal(a->network, b->network);
	assert_int_equal(a->overlay, b->overlay);
	assert_int_equal(a->n_addr, b->n_addr);
	for (size_t i = 0; i < a->n_addr; i++) {
		assert_int_equal(ip_cmp(&a->addr[i].link.ip, &b->addr[i].link.ip), 0);
		assert_int_equal(a->addr[i].link.prefix_len, b->addr[i].link.prefix_len);
		assert_string_equal(a->addr[i].subnet, b->addr[i].subnet);
	}
}

static void an_attachment_comes_back_from_its_file(void **)
{
	for (int vhost = 0; vhost < 2; vhost++) {
		struct attachment a = sample(vhost);

		assert_int_equal(attachment_save(directory, &a, why), 0);
		assert_int_equal(attachment_save(directory, &a, why), 0); // over the old one
		load_all();
		assert_int_equal(found.n_good, 1);
		assert_int_equal(found.n_bad, 0);
		assert_same(&found.last, &a);
		assert_int_equal(attachment_remove(directory, &a, why), 0);
		load_all();
		assert_int_equal(found.n_good, 0);
	}
}

static void removing_twice_is_fine(void **)
{
	struct attachment a = sample(false);

	assert_int_equal(attachment_remove(directory, &a, why), 0);
	assert_int_equal(attachment_remove(directory, &a, why), 0);
}

static void no_directory_means_no_attachments(void **)
{
	memset(&found, 0, sizeof(found));
	assert_int_equal(attachment_load_all("/nonexistent/dir", on_file, NULL), 0);
	assert_int_equal(found.n_good + found.n_bad, 0);
}

static void bad_files_are_told_and_do_not_hide_good_ones(void **)
{
	struct attachment a = sample(false);

	assert_int_equal(attachment_save(directory, &a, why), 0);
	put("broken.json", "{\"containerID\": ");
	put("other.json", "{\"containerID\": \"x\"}");
	put("notes.txt", "not ours");
	put("half.json.new", "{");
	load_all();
	assert_int_equal(found.n_good, 1);
	assert_int_equal(found.n_bad, 2);
	load_all();
	assert_int_equal(found.n_bad, 2);

	char path[256];
	(void)snprintf(path, sizeof(path), "%s/attachments/half.json.new", directory);
	assert_int_not_equal(access(path, F_OK), 0); // an interrupted save leaves nothing
	(void)snprintf(path, sizeof(path), "%s/attachments/notes.txt", directory);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/attachments/broken.json", directory);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/attachments/other.json", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(attachment_remove(directory, &a, why), 0);
}

static void a_wrong_field_is_named(void **)
{
	static const char *const fields[] = {"containerID", "ifname", "netns", "namespace", "pod",
		"uid", "kind", "mac", "mtu", "network", "addresses"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct attachment a = sample(false), b;
		cJSON *json = attachment_encode(&a);

		assert_int_equal(attachment_decode(json, &b, why), 0);
		cJSON_DeleteItemFromObjectCaseSensitive(json, fields[i]);
		cJSON_AddStringToObject(json, fields[i],
			"a text that is far too long for an address, a kind or a number; and for "
			"names "
			"as well: "
			"..................................................................."
			".........................................................................."
			".."
			".........................................................................."
			"..");
		assert_int_equal(attachment_decode(json, &b, why), -EINVAL);
		assert_non_null(strstr(why, fields[i]));
		cJSON_Delete(json);
	}
}

static void host_interfaces_differ_by_container_and_interface(void **)
{
	char a[LINK_NAME_LEN], b[LINK_NAME_LEN];

	attachment_host_ifname("container", "eth0", a);
	assert_int_equal(strlen(a), 15);
	assert_memory_equal(a, "st", 2);
	attachment_host_ifname("container", "eth0", b);
	assert_string_equal(a, b);
	attachment_host_ifname("container", "eth1", b);
	assert_string_not_equal(a, b);
	attachment_host_ifname("containe", "reth0", b);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attachment_comes_back_from_its_file),
		cmocka_unit_test(removing_twice_is_fine),
		cmocka_unit_test(no_directory_means_no_attachments),
		cmocka_unit_test(bad_files_are_told_and_do_not_hide_good_ones),
		cmocka_unit_test(a_wrong_field_is_named),
		cmocka_unit_test(host_interfaces_differ_by_container_and_interface),
	};
	char path[256];

	if (mkdtemp(directory) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(path, sizeof(path), "%s/attachments", directory);
	(void)rmdir(path);
	return rmdir(directory) == 0 ? failed : 1;
}
