package journal

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// KindID returns the journal's id of something of a kind: "<kind>/<id>". A kind has no slash.
func KindID(kind, id string) string { return kind + "/" + id }

// Kinds is a [Settler] that hands each id to the settler of its kind, without the kind before it.
//
// Ids of a kind that has no settler are kept. A replica of an older version finds such ids when it
// takes over the lane of a newer one during a rollout, or when a rollout is taken back: they are
// the business of whichever newer version owns the lane next. The older one says so once for each
// kind, and counts them.
type Kinds struct {
	settlers map[string]Settler
	bare     string // the kind of ids without one
	foreign  prometheus.Counter
	log      *slog.Logger
	said     sync.Map // the kinds without a settler that were found
}

// NewKinds makes a settler of several. An id without a kind was written before there were kinds: it
// is of the kind named bare, unless it begins with another kind and a colon, such as "erase:usr_1".
func NewKinds(bare string, settlers map[string]Settler) *Kinds {
	return &Kinds{
		settlers: maps.Clone(settlers), bare: bare, log: slog.Default(),
		foreign: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "sidecart", Subsystem: "journal", Name: "foreign_ids_total",
			Help: "Ids that were kept for a newer version, as nobody in this process settles their kind.",
		}),
	}
}

// Measure registers the metrics, with the label journal. It may be called once for a registerer and
// a journal.
func (k *Kinds) Measure(r prometheus.Registerer, journal string) {
	prometheus.WrapRegistererWith(prometheus.Labels{"journal": journal}, r).MustRegister(k.foreign)
}

// Settle implements [Settler].
func (k *Kinds) Settle(ctx context.Context, entries []Entry) (finished []string, err error) {
	ofKind, full := map[string][]Entry{}, map[string]map[string]string{}
	for _, e := range entries {
		kind, id, ok := strings.Cut(e.ID, "/")
		if !ok {
			kind, id = k.ofBare(e.ID)
		}
		if full[kind] == nil {
			full[kind] = map[string]string{}
		}
		full[kind][id] = e.ID
		e.ID = id
		ofKind[kind] = append(ofKind[kind], e)
	}
	for _, kind := range slices.Sorted(maps.Keys(ofKind)) {
		settler, ok := k.settlers[kind]
		if !ok {
			k.keep(kind, ofKind[kind])
			continue
		}
		done, failed := settler.Settle(ctx, ofKind[kind])
		for _, id := range done {
			finished = append(finished, full[kind][id])
		}
		if err == nil {
			err = failed
		}
	}
	return finished, err
}

// keep leaves ids in the journal, and tells whoever operates this.
func (k *Kinds) keep(kind string, entries []Entry) {
	for _, e := range entries {
		if e.Attempt == 1 {
			k.foreign.Inc()
		}
	}
	if _, known := k.said.LoadOrStore(kind, true); !known {
		k.log.Warn("unfinished work of a kind that this version does not know is kept for a newer one",
			"kind", kind)
	}
}

func (k *Kinds) ofBare(id string) (kind, rest string) {
	if kind, rest, ok := strings.Cut(id, ":"); ok && k.settlers[kind] != nil {
		return kind, rest
	}
	return k.bare, id
}
