// Package conformance tries, through a real daprd, whether the stores and buses that a component
// file may name do what the services rely on. What it finds are the tables in components/README.md;
// `go test ./conformance -update` writes them anew.
//
// It starts every server itself, on free ports and in temporary folders, from this machine's own
// binaries. MongoDB is tried where $SIDECART_MONGODB_URI names one, in a database of its own, which
// is dropped at the end. What a machine cannot run is skipped, and its column not compared.
package conformance
