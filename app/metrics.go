package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func newRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mailroom_build_info", Help: "Which version runs.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	return r
}

// backlog shows what waits to go out, read from the database at each scrape.
type backlog struct{ app *App }

var backlogHelp = prometheus.NewDesc("mailroom_waiting", "What waits to go out: queued mails, and lanes whose last attempt failed.", []string{"what"}, nil)

// Describe implements prometheus.Collector.
func (b backlog) Describe(c chan<- *prometheus.Desc) { c <- backlogHelp }

// Collect implements prometheus.Collector.
func (b backlog) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := b.app.store.Backlog(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(backlogHelp, err)
		return
	}
	for what, n := range counts {
		c <- prometheus.MustNewConstMetric(backlogHelp, prometheus.GaugeValue, float64(n), what)
	}
}

// tally shows what the database counts over all nodes, read at each scrape.
type tally struct{ app *App }

var (
	overHelp    = prometheus.NewDesc("mailroom_sessions_over_total", "Off-the-record sessions that have ended, on all nodes.", nil, nil)
	reportsHelp = prometheus.NewDesc("mailroom_reports_total", "Reports of abuse, on all nodes. See: mailroom audit", nil, nil)
)

// Describe implements prometheus.Collector.
func (t tally) Describe(c chan<- *prometheus.Desc) { c <- overHelp; c <- reportsHelp }

// Collect implements prometheus.Collector.
func (t tally) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	over, reports, err := t.app.store.Tally(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(overHelp, err)
		return
	}
	c <- prometheus.MustNewConstMetric(overHelp, prometheus.CounterValue, float64(over))
	c <- prometheus.MustNewConstMetric(reportsHelp, prometheus.CounterValue, float64(reports))
}

// registerMetrics makes the metrics of the node itself; none tells of anybody.
func (a *App) registerMetrics() error {
	for _, c := range []prometheus.Collector{
		backlog{a}, tally{a},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mailroom_off_record_sessions", Help: "Off-the-record sessions in the memory of this node.",
		}, func() float64 { return float64(a.store.Memory().Count()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "mailroom_limit_refusals_total", Help: "Acts that a limit has refused on this node.",
		}, func() float64 { return float64(a.service.Refusals()) }),
	} {
		if err := a.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// serveMetrics serves /metrics on its own listener.
func (a *App) serveMetrics(ctx context.Context) error {
	if err := a.registerMetrics(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	l, err := net.Listen("tcp", a.config.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w. Is another program using it?", err)
	}
	return serveHTTP(ctx, l, mux)
}

// serveHTTP serves until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
