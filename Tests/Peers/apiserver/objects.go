package main

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// object is a JSON object of the Kubernetes API.
type object = map[string]any

// started is the birthday of all objects.
var started = time.Now().UTC().Format(time.RFC3339)

// containerScheme is the runtime's name in a pod's status; clients treat containerd's way with half-closed connections specially.
var containerScheme = "containerd"

// containerID is what a runtime calls the one container of a pod; error texts name it too.
func containerID(pod string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(pod)))
}

// ports are the named ports of the pod, as the process of the pod serves them.
var ports = []struct {
	name   string
	number int
}{
	{"echo", 7000}, {"source", 7001}, {"sink", 7002}, {"counted-sink", 7003}, {"half-close", 7004},
	{"reset", 7005}, {"half-closed", 7006}, {"stall", 7007}, {"wait", 7008}, {"greeting", 7009}, {"http", 8080},
}

func metadata(name, suffix string, labels object) object {
	return object{
		"name": name, "namespace": "default", "labels": labels, "resourceVersion": "2980",
		"uid":               "1c677156-3d7b-4fd8-a02a-" + containerID(name + suffix)[:12],
		"creationTimestamp": started,
	}
}

func podObject(name, address string) object {
	containerPorts := []object{}
	for _, port := range ports {
		containerPorts = append(containerPorts,
			object{"name": port.name, "containerPort": port.number, "protocol": "TCP"})
	}
	condition := func(kind string) object {
		return object{"type": kind, "status": "True", "lastProbeTime": nil, "lastTransitionTime": started}
	}
	return object{
		"kind": "Pod", "apiVersion": "v1",
		"metadata": metadata(name, "pod", object{"app": "demo"}),
		"spec": object{
			"containers": []object{{
				"name": "c", "image": "localhost/demo:1", "imagePullPolicy": "Never", "ports": containerPorts,
				"resources": object{}, "terminationMessagePath": "/dev/termination-log",
				"terminationMessagePolicy": "File",
			}},
			"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
			"serviceAccountName": "default", "nodeName": "node1", "securityContext": object{},
			"schedulerName": "default-scheduler", "enableServiceLinks": true,
		},
		"status": object{
			"phase": "Running",
			"conditions": []object{
				condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
				condition("ContainersReady"), condition("PodScheduled"),
			},
			"hostIP": "127.0.0.1", "hostIPs": []object{{"ip": "127.0.0.1"}},
			"podIP": address, "podIPs": []object{{"ip": address}},
			"startTime": started, "qosClass": "BestEffort",
			"containerStatuses": []object{{
				"name": "c", "state": object{"running": object{"startedAt": started}}, "lastState": object{},
				"ready": true, "started": true, "restartCount": 0, "image": "localhost/demo:1",
				"imageID": "sha256:" + containerID("image"), "containerID": containerScheme + "://" + containerID(name),
			}},
		},
	}
}

// pendingPod is a pod that no node has taken yet.
func pendingPod(name string) object {
	pod := podObject(name, "")
	pod["metadata"] = metadata(name, "pod", object{"app": name})
	delete(pod["spec"].(object), "nodeName")
	pod["status"] = object{"phase": "Pending", "qosClass": "BestEffort", "conditions": []object{{
		"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": started,
	}}}
	return pod
}

func serviceObject() object {
	return object{
		"kind": "Service", "apiVersion": "v1",
		"metadata": metadata("demo", "service", object{"app": "demo"}),
		"spec": object{
			"type": "ClusterIP", "clusterIP": "10.96.0.20", "clusterIPs": []string{"10.96.0.20"},
			"selector": object{"app": "demo"},
			"ports": []object{
				{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"},
				{"name": "echo", "protocol": "TCP", "port": 7, "targetPort": 7000},
			},
		},
		"status": object{"loadBalancer": object{}},
	}
}

func listObject(kind, apiVersion string, items []object) object {
	return object{
		"kind": kind, "apiVersion": apiVersion, "metadata": object{"resourceVersion": "2980"}, "items": items,
	}
}

func statusObject(code int, reason, message string, details object) object {
	status := object{
		"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure",
		"message": message, "reason": reason, "code": code,
	}
	if details != nil {
		status["details"] = details
	}
	return status
}

func resource(name, singular, kind string, shortNames, verbs []string) object {
	return object{
		"name": name, "singularName": singular, "namespaced": true, "kind": kind,
		"shortNames": shortNames, "verbs": verbs,
	}
}

// discovery is what a client reads to learn that `po/demo` and `svc/demo` are a pod and a service.
var discovery = map[string]object{
	"/version": {
		"major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "", "gitTreeState": "clean",
		"buildDate": started, "goVersion": "go1.19", "compiler": "gc", "platform": "linux/amd64",
	},
	"/api": {
		"kind": "APIVersions", "versions": []string{"v1"},
		"serverAddressByClientCIDRs": []object{{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}},
	},
	"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []object{}},
	"/api/v1": {
		"kind": "APIResourceList", "groupVersion": "v1",
		"resources": []object{
			resource("pods", "pod", "Pod", []string{"po"}, []string{"get", "list", "watch"}),
			resource("pods/portforward", "", "PodPortForwardOptions", nil, []string{"create", "get"}),
			resource("services", "service", "Service", []string{"svc"}, []string{"get", "list", "watch"}),
		},
	},
}
