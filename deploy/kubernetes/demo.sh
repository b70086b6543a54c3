#!/bin/sh
# Puts the demo on the cluster that kubectl leads to: namespace, secrets (made once, at random), everything else; then waits for it.
#   demo.sh [demo|demo-mongodb]
# Needs a cluster with Dapr 1.18 (README.md has the chart's values), kubectl and Go.
set -eu
cd "$(dirname "$0")"
overlay=${1:-demo}
kubectl apply -f overlays/demo/namespace.yaml
if ! kubectl -n sidecart get secret trust >/dev/null 2>&1; then
	GOWORK=off go run ./demosecrets "$overlay" | kubectl -n sidecart create -f -
fi
kubectl apply --server-side -k "overlays/$overlay"
for app in users orders payments notifications gateway; do
	kubectl -n sidecart rollout status "deployment/$app" --timeout=300s
done
echo 'The shop:  kubectl -n sidecart port-forward svc/gateway 8080:80, then http://127.0.0.1:8080'
echo 'The mail:  kubectl -n sidecart port-forward svc/inbox 8025, then http://127.0.0.1:8025'
