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

// serveMetrics serves /metrics on its own listener.
func (a *App) serveMetrics(ctx context.Context) error {
	if err := a.registry.Register(backlog{a}); err != nil {
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
