// Prints the Go types of the built-in kinds, for src/sandbox/kinds/types.txt: a line per kind, and one per struct with its
// fields in order. Flags: "?" omitempty, "0" omitzero, "*" pointer, "[]" list, "{}" map; "/name" is Go's own name.
package main

import (
	"fmt"
	"reflect"
	"strings"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

type kind struct {
	av string
	v  interface{}
}

var seen = map[reflect.Type]string{}
var names = map[string]reflect.Type{}
var order []reflect.Type

func name(t reflect.Type) string {
	if n, ok := seen[t]; ok {
		return n
	}
	n := t.Name()
	if o, taken := names[n]; taken && o != t {
		p := strings.Split(t.PkgPath(), "/")
		n = p[len(p)-2] + "." + n
		if _, taken := names[n]; taken {
			panic(n)
		}
	}
	names[n] = t
	seen[t] = n
	order = append(order, t)
	return n
}

func typ(t reflect.Type) string {
	switch t.String() {
	case "resource.Quantity":
		return "quantity"
	case "intstr.IntOrString":
		return "intorstring"
	case "v1.Time":
		return "time"
	case "v1.MicroTime":
		return "microtime"
	case "v1.Duration":
		return "duration"
	case "v1.FieldsV1":
		return "any"
	case "runtime.RawExtension":
		return "any"
	}
	switch t.Kind() {
	case reflect.Ptr:
		return "*" + typ(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + typ(t.Elem()) + named(t)
	case reflect.Map:
		return "{}" + typ(t.Elem()) + named(t)
	case reflect.Struct:
		return name(t)
	case reflect.String:
		if t.Name() == "string" {
			return "string"
		}
		return "string/" + t.String()
	case reflect.Bool, reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint8, reflect.Float64, reflect.Uint32:
		return t.Kind().String()
	}
	panic(t.String())
}

func named(t reflect.Type) string {
	if t.Name() == "" {
		if t.Kind() == reflect.Map && t.Key().Name() != "string" {
			return "/" + t.String()
		}
		return ""
	}
	return "/" + t.String()
}

func fields(t reflect.Type, out *[]string) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		parts := strings.Split(tag, ",")
		if parts[0] == "" && f.Anonymous {
			e := f.Type
			fields(e, out)
			continue
		}
		if parts[0] == "-" || tag == "" {
			continue
		}
		flag := ""
		for _, p := range parts[1:] {
			if p == "omitempty" {
				flag += "?"
			}
			if p == "omitzero" {
				flag += "0"
			}
		}
		*out = append(*out, parts[0]+flag+":"+typ(f.Type))
	}
}

func main() {
	ks := []kind{
		{"v1", core.ConfigMap{}}, {"v1", core.Endpoints{}}, {"v1", core.Event{}}, {"v1", core.LimitRange{}}, {"v1", core.Namespace{}}, {"v1", core.Node{}}, {"v1", core.PersistentVolume{}}, {"v1", core.PersistentVolumeClaim{}}, {"v1", core.Pod{}}, {"v1", core.ResourceQuota{}}, {"v1", core.Secret{}}, {"v1", core.Service{}}, {"v1", core.ServiceAccount{}},
		{"apiregistration.k8s.io/v1", apireg.APIService{}},
		{"apps/v1", apps.DaemonSet{}}, {"apps/v1", apps.Deployment{}}, {"apps/v1", apps.ReplicaSet{}}, {"apps/v1", apps.StatefulSet{}},
		{"autoscaling/v2", autoscaling.HorizontalPodAutoscaler{}},
		{"batch/v1", batch.CronJob{}}, {"batch/v1", batch.Job{}},
		{"coordination.k8s.io/v1", coordination.Lease{}},
		{"discovery.k8s.io/v1", discovery.EndpointSlice{}},
		{"networking.k8s.io/v1", networking.Ingress{}}, {"networking.k8s.io/v1", networking.IngressClass{}}, {"networking.k8s.io/v1", networking.NetworkPolicy{}},
		{"policy/v1", policy.PodDisruptionBudget{}},
		{"rbac.authorization.k8s.io/v1", rbac.ClusterRole{}}, {"rbac.authorization.k8s.io/v1", rbac.ClusterRoleBinding{}}, {"rbac.authorization.k8s.io/v1", rbac.Role{}}, {"rbac.authorization.k8s.io/v1", rbac.RoleBinding{}},
		{"scheduling.k8s.io/v1", scheduling.PriorityClass{}},
		{"storage.k8s.io/v1", storage.StorageClass{}}, {"storage.k8s.io/v1", storage.VolumeAttributesClass{}},
	}
	for _, k := range ks {
		t := reflect.TypeOf(k.v)
		fmt.Println("kind", k.av, t.Name(), name(t))
	}
	for i := 0; i < len(order); i++ {
		var out []string
		t := order[i]
		fields(t, &out)
		fmt.Println("type", seen[t], t.String(), strings.Join(out, " "))
	}
}
