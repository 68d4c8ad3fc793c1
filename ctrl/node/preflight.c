#include "ctrl/node/preflight.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/node/eal.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"
#define FILES_MIN 8192 // a pod's port needs up to eight descriptors
#define STATUS_MAX 8192

struct run {
	const struct config *c;
	void (*say)(enum preflight_level level, const char *text);
	struct preflight_result *ret;
};

static void say(const struct run *r, enum preflight_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(const struct run *r, enum preflight_level level, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	r->say(level, text);
	if (level == PREFLIGHT_FATAL)
		r->ret->n_fatal++;
}

static size_t read_text(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(buf, 1, size - 1, f) : 0;

	if (f != NULL)
		(void)fclose(f);
	buf[n] = '\0';
	return n;
}

// ── Capabilities ───────────────────────────────────────────────────────────────────────────────

bool preflight_has_capability(const char *status, unsigned int capability)
{
	const char *line = strstr(status, "CapEff:");

	return line != NULL &&
	       (strtoull(line + strlen("CapEff:"), NULL, 16) >> capability & 1) != 0;
}

static void check_capabilities(const struct run *r)
{
	char status[STATUS_MAX];

	(void)read_text("/proc/self/status", status, sizeof(status));
	bool admin = preflight_has_capability(status, CAP_SYS_ADMIN);
	if (!preflight_has_capability(status, CAP_NET_ADMIN))
		say(r, PREFLIGHT_FATAL,
			"capability CAP_NET_ADMIN is missing: no link can be made; run as root");
	if (!admin)
		say(r, PREFLIGHT_FATAL,
			"capability CAP_SYS_ADMIN is missing: pods' namespaces cannot be entered; "
			"run as root");
	if (!admin && !preflight_has_capability(status, CAP_BPF))
		say(r, PREFLIGHT_FATAL,
			"capability CAP_BPF is missing: no XDP program can be loaded; run as root");
	if (!preflight_has_capability(status, CAP_NET_RAW))
		say(r, PREFLIGHT_FATAL,
			"capability CAP_NET_RAW is missing: no AF_XDP socket can be made; run as "
			"root");
}

// ── Limits ─────────────────────────────────────────────────────────────────────────────────────

static void check_locked_memory(const struct run *r)
{
	const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	char status[STATUS_MAX];
	struct rlimit now;

	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0 || getrlimit(RLIMIT_MEMLOCK, &now) < 0)
		return;
	(void)read_text("/proc/self/status", status, sizeof(status));
	uint64_t need = (uint64_t)eal_memory_mb(r->c) << 20;
	if (now.rlim_cur < need && !preflight_has_capability(status, CAP_IPC_LOCK))
		say(r, PREFLIGHT_FATAL,
			"only %llu KB of memory may be locked, AF_XDP needs %u MB; raise "
			"LimitMEMLOCK "
			"or give CAP_IPC_LOCK",
			(unsigned long long)now.rlim_cur >> 10, eal_memory_mb(r->c));
}

static void check_files(const struct run *r)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < FILES_MIN && geteuid() == 0)
		limit.rlim_max = FILES_MIN;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < FILES_MIN)
		say(r, PREFLIGHT_INSTEAD,
			"only %llu files may be open (LimitNOFILE): enough for about %llu pods",
			(unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_cur / 8);
}

// ── Memory ─────────────────────────────────────────────────────────────────────────────────────

// MB of free hugepages of all sizes.
static uint64_t free_hugepages_mb(void)
{
	DIR *d = opendir(HUGEPAGES);
	uint64_t kb = 0;

	if (d == NULL)
		return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[512], text[32];
		unsigned long size;

		if (sscanf(e->d_name, "hugepages-%lukB", &size) != 1)
			continue;
		(void)snprintf(path, sizeof(path), HUGEPAGES "/%s/free_hugepages", e->d_name);
		(void)read_text(path, text, sizeof(text));
		kb += size * strtoull(text, NULL, 10);
	}
	(void)closedir(d);
	return kb >> 10;
}

static void check_memory(const struct run *r)
{
	uint32_t need = eal_memory_mb(r->c);
	uint64_t have = free_hugepages_mb();

	r->ret->hugepages = r->c->hugepages && have >= need;
	if (r->ret->hugepages)
		say(r, PREFLIGHT_OK, "memory: %u MB of hugepages", need);
	else if (!r->c->hugepages)
		say(r, PREFLIGHT_OK, "memory: %u MB, ordinary, as configured", need);
	else
		say(r, PREFLIGHT_INSTEAD,
			"hugepages: %u MB needed, %llu MB free; running on ordinary memory "
			"instead, which "
			"is slower (more: " HUGEPAGES "/hugepages-2048kB/nr_hugepages)",
			need, (unsigned long long)have);
}

// ── CPUs ───────────────────────────────────────────────────────────────────────────────────────

static void check_cpus(const struct run *r)
{
	const struct config *c = r->c;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	for (size_t i = 0; i < c->n_worker_cpus; i++) {
		if (!CPU_ISSET(c->worker_cpus[i], &allowed))
			say(r, PREFLIGHT_FATAL,
				"workers.cpus: CPU %u does not exist, or this process may not use "
				"it",
				c->worker_cpus[i]);
	}
	if (CPU_COUNT(&allowed) <= (int)c->n_worker_cpus)
		say(r, PREFLIGHT_INSTEAD,
			"every CPU has a worker: the control thread and pods share them%s",
			c->busy ? ", which workers.busy makes slow" : "");
}

// ── Network ────────────────────────────────────────────────────────────────────────────────────

bool preflight_iface(const char *device, char *buf, size_t size)
{
	for (const char *arg = strchr(device, ','); arg != NULL; arg = strchr(arg + 1, ',')) {
		const char *value = arg + strlen(",iface=");

		if (strncmp(arg, ",iface=", strlen(",iface=")) != 0)
			continue;
		if (value[0] == '/') // net_vhost's socket
			return false;
		(void)snprintf(buf, size, "%.*s", (int)strcspn(value, ","), value);
		return true;
	}
	return false;
}

static void check_pci(const struct run *r)
{
	char path[512], driver[256];
	int len = (int)strcspn(r->c->uplink_device, ",");
	const char *domain =
		strchr(r->c->uplink_device, ':') - r->c->uplink_device == 4 ? "" : "0000:";

	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%.*s", domain, len,
		r->c->uplink_device);
	if (access(path, F_OK) < 0) {
		say(r, PREFLIGHT_FATAL, "uplink.device: there is no PCI device %.*s", len,
			r->c->uplink_device);
		return;
	}
	(void)strcat(path, "/driver");
	ssize_t n = readlink(path, driver, sizeof(driver) - 1);
	driver[n > 0 ? n : 0] = '\0';
	const char *name = strrchr(driver, '/') != NULL ? strrchr(driver, '/') + 1 : "none";
	if (strcmp(name, "mlx5_core") != 0 && strcmp(name, "mlx4_core") != 0 &&
		strcmp(name, "vfio-pci") != 0)
		say(r, PREFLIGHT_INSTEAD,
			"uplink.device: its driver is %s; most NICs need vfio-pci (dpdk-devbind.py "
			"-b vfio-pci %.*s)",
			name, len, r->c->uplink_device);
}

static void check_uplink(const struct run *r)
{
	const char *device = r->c->uplink_device;
	char iface[64];

	if (device[0] == '\0')
		say(r, PREFLIGHT_INSTEAD,
			"uplink.device is not set: pods of this node reach each other and the "
			"node, nothing else");
	else if (eal_is_pci(device))
		check_pci(r);
	else if (preflight_iface(device, iface, sizeof(iface)) &&
		 strncmp(device, "net_tap", 7) != 0 && if_nametoindex(iface) == 0)
		say(r, PREFLIGHT_FATAL, "uplink.device: there is no interface '%s'", iface);
	else
		say(r, PREFLIGHT_OK, "uplink: %s", device);
}

static void check_kernel(const struct run *r)
{
	char text[16];

	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)close(fd);
	else if (errno == EAFNOSUPPORT)
		say(r, PREFLIGHT_FATAL, "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
	if (read_text("/proc/sys/net/ipv6/conf/all/disable_ipv6", text, sizeof(text)) == 0 ||
		text[0] == '1')
		say(r, PREFLIGHT_INSTEAD,
			"IPv6 is off in this kernel: pods' IPv6 reaches other pods, but not this "
			"node");
}

void preflight_run(const struct config *c,
	void (*say_line)(enum preflight_level level, const char *text),
	struct preflight_result *ret)
{
	const struct run r = {.c = c, .say = say_line, .ret = ret};

	*ret = (struct preflight_result){0};
	check_capabilities(&r);
	check_locked_memory(&r);
	check_files(&r);
	check_memory(&r);
	check_cpus(&r);
	check_uplink(&r);
	check_kernel(&r);
}
