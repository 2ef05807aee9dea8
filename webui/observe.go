package webui

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are the numbers that an admin can watch.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	posts    *prometheus.CounterVec
	streams  prometheus.Gauge
}

func newMeters(registerer prometheus.Registerer) (*meters, error) {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mailroom_http_requests_total", Help: "Requests of browsers and API clients, by route and status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mailroom_http_request_seconds", Help: "Time to answer a request, streams and long polls left out.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"route"}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mailroom_http_posts_total", Help: "Messages taken, by the page or by the API.",
		}, []string{"by"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mailroom_http_streams", Help: "Open event streams.",
		}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.posts, m.streams} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe logs and counts each request by the pattern of its route, never by its path: there the tokens are.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		answer := &watched{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		route, took := cmp.Or(r.Pattern, "refused"), time.Since(began)
		status := cmp.Or(answer.status, http.StatusOK)
		s.meters.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		if !answer.slow {
			s.meters.seconds.WithLabelValues(route).Observe(took.Seconds())
		}
		s.log.Debug("request", "method", r.Method, "route", route, "status", status, "took", took, "client", s.clientAddr(r))
	})
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
	slow   bool // waits on purpose
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// waits says that the answer takes its time on purpose and does not count as slow.
func waits(w http.ResponseWriter) {
	if answer, ok := w.(*watched); ok {
		answer.slow = true
	}
}
