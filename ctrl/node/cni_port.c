// The port of an attachment: its link or vhost-user directory, its driver, its place in the FIB.
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/node/cni_inner.h"
#include "pmd/afxdp.h"
#include "pmd/vhost.h"

#define DESCRIPTION "port.json"

void link_pod_of(const struct attachment *a, struct link_pod *ret_link)
{
	struct link_pod l = {.mtu = a->mtu, .n_addr = a->n_addr};

	strcpy(l.netns, a->netns);
	strcpy(l.ifname, a->ifname);
	strcpy(l.host_ifname, a->host_ifname);
	memcpy(l.mac, a->mac, sizeof(l.mac));
	for (size_t i = 0; i < a->n_addr; i++)
		l.addr[i] = a->addr[i].link;
	*ret_link = l;
}

void fib_pod_of(const struct attachment *a, struct fib_pod *ret_pod)
{
	struct fib_pod p = {.overlay = a->overlay, .mtu = a->mtu};

	strcpy(p.namespace, a->namespace);
	strcpy(p.pod, a->pod);
	strcpy(p.uid, a->uid);
	(void)snprintf(p.name, sizeof(p.name), "%.16s/%.30s/%s", a->namespace, a->pod, a->ifname);
	memcpy(p.mac, a->mac, sizeof(p.mac));
	for (size_t i = 0; i < a->n_addr; i++) {
		const struct attachment_address *addr = &a->addr[i];

		if (ip_is_v4(&addr->link.ip)) {
			p.has_ip4 = true;
			p.ip4 = addr->link.ip;
			strcpy(p.subnet4, addr->subnet);
		} else {
			p.has_ip6 = true;
			p.ip6 = addr->link.ip;
			strcpy(p.subnet6, addr->subnet);
		}
	}
	*ret_pod = p;
}

// ── vhost-user ─────────────────────────────────────────────────────────────────────────────────

// Named by the attachment, not by the pod: a pod that comes again under its name must not meet the
// socket, or librte_vhost's reconnecting, of the one before.
int vhost_socket_path(const struct config *c, struct attachment *a)
{
	int n = snprintf(a->socket_path, sizeof(a->socket_path), "%s/vhost-user/%s/sock",
		c->run_dir, a->host_ifname);

	return n < (int)sizeof(a->socket_path) ? 0 : -ENAMETOOLONG;
}

// The directory of the socket: what a pod mounts.
static void vhost_directory(const struct attachment *a, char dir[VHOST_PATH_MAX])
{
	(void)snprintf(dir, VHOST_PATH_MAX, "%.*s",
		(int)(strrchr(a->socket_path, '/') - a->socket_path), a->socket_path);
}

// What the application needs to know, beside its socket.
static cJSON *describe(const struct config *c, const struct attachment *a)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *result = cni_result(a);
	char mac[MAC_TEXT_MAX];

	cJSON_AddStringToObject(json, "socketPath", a->socket_path);
	cJSON_AddStringToObject(json, "namespace", a->namespace);
	cJSON_AddStringToObject(json, "pod", a->pod);
	cJSON_AddStringToObject(json, "interface", a->ifname);
	cJSON_AddStringToObject(json, "mode", c->vhost_server ? "server" : "client");
	cJSON_AddNumberToObject(json, "queues", c->vhost_queues);
	cJSON_AddStringToObject(json, "mac", mac_text(a->mac, mac));
	cJSON_AddNumberToObject(json, "mtu", a->mtu);
	cJSON_AddItemToObject(json, "ips", cJSON_DetachItemFromObjectCaseSensitive(result, "ips"));
	cJSON_AddItemToObject(
		json, "routes", cJSON_DetachItemFromObjectCaseSensitive(result, "routes"));
	cJSON_Delete(result);
	return json;
}

static int vhost_make(const struct config *c, const struct attachment *a, char *why)
{
	char dir[VHOST_PATH_MAX], path[VHOST_PATH_MAX + sizeof(DESCRIPTION)];
	cJSON *json = describe(c, a);
	char *text = json != NULL ? cJSON_Print(json) : NULL;

	cJSON_Delete(json);
	vhost_directory(a, dir);
	(void)snprintf(path, sizeof(path), "%s/" DESCRIPTION, dir);
	int ret = text != NULL ? make_directories(dir) : -ENOMEM;
	if (ret == 0)
		ret = file_replace(path, text);
	cJSON_free(text);
	if (ret < 0)
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "%s: %s", path, strerror(-ret));
	return ret;
}

static int vhost_unmake(const struct attachment *a, char *why)
{
	char dir[VHOST_PATH_MAX], path[VHOST_PATH_MAX + sizeof(DESCRIPTION)];

	vhost_directory(a, dir);
	(void)snprintf(path, sizeof(path), "%s/" DESCRIPTION, dir);
	(void)unlink(path);
	(void)unlink(a->socket_path);
	// What else an application put there stays, and the directory with it.
	if (rmdir(dir) == 0 || errno == ENOENT || errno == ENOTEMPTY)
		return 0;
	(void)snprintf(why, ATTACHMENT_WHY_MAX, "cannot remove %s: %s", dir, strerror(errno));
	return -errno;
}

// ── Links ──────────────────────────────────────────────────────────────────────────────────────

static int read_mac(const char *ifname, uint8_t ret_mac[6])
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	int ret = ioctl(fd, SIOCGIFHWADDR, &req) < 0 ? -errno : 0;
	(void)close(fd);
	if (ret == 0)
		memcpy(ret_mac, req.ifr_hwaddr.sa_data, 6);
	return ret;
}

int port_make(const struct config *c, struct attachment *a, int *ret_ifindex,
	char why[ATTACHMENT_WHY_MAX])
{
	struct link_pod link;

	if (a->vhost)
		return vhost_make(c, a, why);
	link_pod_of(a, &link);
	int ret = link_pod_create(&link, ret_ifindex, why);
	if (ret < 0)
		return ret;
	ret = read_mac(a->host_ifname, a->host_mac);
	if (ret < 0) {
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "%s vanished", a->host_ifname);
		(void)link_delete(a->host_ifname, (char[LINK_WHY_MAX]){0});
	}
	return ret;
}

int port_unmake(const struct config *, const struct attachment *a, char why[ATTACHMENT_WHY_MAX])
{
	return a->vhost ? vhost_unmake(a, why) : link_delete(a->host_ifname, why);
}

// ── Driver ─────────────────────────────────────────────────────────────────────────────────────

static int open_vhost(struct cni *cni, struct slot *s, char *why)
{
	const struct config *c = cni->conf.config;
	struct vhost_conf conf = {
		.name = s->a.host_ifname, // a hash of the key for both kinds of port
		.path = s->a.socket_path,
		.pool = dataplane_pool(cni->conf.dp),
		.n_queue_pairs = (uint16_t)c->vhost_queues,
		.n_workers = dataplane_n_workers(cni->conf.dp),
		.mtu = s->a.mtu,
		.server = c->vhost_server,
	};

	memcpy(conf.mac.addr_bytes, s->a.mac, sizeof(s->a.mac));
	int ret = vhost_open(&conf, &s->dev);
	if (ret < 0)
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "%s: %s", s->a.socket_path, strerror(-ret));
	return ret;
}

int port_open(struct cni *cni, struct slot *s, int ifindex, char why[ATTACHMENT_WHY_MAX])
{
	const struct config *c = cni->conf.config;
	const char *step = "";

	if (s->a.vhost)
		return open_vhost(cni, s, why);
	struct afxdp_conf conf = {
		.name = s->a.host_ifname,
		.ifindex = ifindex,
		.pool = dataplane_pool(cni->conf.dp),
		.mtu = s->a.mtu,
		.ring_size = (uint16_t)c->afxdp_ring,
		.mode = c->afxdp_native ? AFXDP_NATIVE : AFXDP_GENERIC,
	};
	memcpy(conf.mac.addr_bytes, s->a.mac, sizeof(s->a.mac));
	int ret = afxdp_open(&conf, &s->dev, &step);
	if (ret < 0)
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "%s: %s: %s", s->a.host_ifname, step,
			strerror(-ret));
	return ret;
}

int port_publish(struct cni *cni, struct slot *s)
{
	struct fib_pod pod;
	uint16_t port;

	fib_pod_of(&s->a, &pod);
	pod.dev = s->dev;
	int ret = fib_attach(cni->conf.fib, &pod, &port);
	if (ret < 0)
		return ret;
	s->dev = NULL;
	s->port = port;
	return 0;
}
