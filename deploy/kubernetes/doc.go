// Package kubernetes has the tests of the manifests in this folder: they are rendered with
// kustomize's library, decoded strictly into the types of Kubernetes and Dapr, given to Dapr's own
// injector, and held against the rules in policy_test.go. None needs a cluster.
package kubernetes
