package main

import (
	"fmt"
	"syscall"
	"time"
)

// standstill is a load whose connections stop in the middle, on one side.
type standstill struct {
	command string
	remote  int
	flags   []any
	// ending is how each of its connections has to end, behind the standstill.
	ending string
}

// clientsThatStop ask for bytes, read a thousand, nothing for a span, and then the rest, which is compared.
//
// Their receive buffers do not grow: else the kernel takes megabytes for each, and it is no standstill but a download.
func clientsThatStop(bytes int, span time.Duration) standstill {
	flags := []any{"--bytes", bytes, "--read", 1000, "--hold", span, "--receive-buffer", 128 * kibibyte}
	return standstill{"stall-reader", 7001, flags, "complete"}
}

// podsThatNeverRead are sent bytes until nothing is taken for a span.
func podsThatNeverRead(span time.Duration) standstill {
	return standstill{"stall-pod", 7007, []any{"--bytes", 1 << 40, "--hold", span}, "blocked"}
}

// The echoing connections beside a standstill.
const (
	bystanders     = 200
	bystanderBytes = 64
	// patience is how long they may take: with some forwarders they stop for good.
	patience = 6 * time.Second
	// quietMax is how long a forwarder may go on filling buffers until the others really stand.
	quietMax = 5 * time.Second
	// standSpan is how long the others stand at most.
	standSpan = patience + quietMax
	// standingSpan is how long those stand that have nobody beside them.
	standingSpan = 3500 * time.Millisecond
	// standMax bounds a standstill with all that comes after it.
	standMax = 40 * time.Second
)

// apart counts round trips of many connections, by themselves and then while others of the same forwarder stand still.
//
// early: the bystanders are there, and share tunnels with those that will stop.
func apart(stalled, trips int, how standstill, early bool) procedure {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7000, how.remote)
		if err != nil {
			return nil, err
		}
		defer f.end()
		some := func(trips int) (*loadReport, error) {
			return b.try(patience, "latency", f.port, "--connections", bystanders, "--bytes", bystanderBytes, "--rounds", trips)
		}
		echo := func() (*loadReport, error) { return some(trips) }
		if _, err := some(max(trips/10, 1)); err != nil { // warm
			return nil, err
		}
		alone, err := echo()
		if err == nil {
			err = alone.check()
		}
		if err != nil {
			return nil, err
		}
		stall := func() (*process, error) {
			flags := append([]any{"--connections", stalled, "--timeout", standMax}, how.flags...)
			return start(b.client, loadArguments(how.command, f.ports[how.remote], flags...)...)
		}
		var others *process
		var beside *loadReport
		if early {
			done := make(chan error)
			go func() {
				var err error
				beside, err = echo()
				done <- err
			}()
			time.Sleep(settleSpan)
			others, err = stall()
			if ended := <-done; err == nil {
				err = ended
			}
		} else if others, err = stall(); err == nil {
			f.waitUntilQuiet()
			beside, err = echo()
		}
		if others != nil {
			defer others.Command.Process.Kill()
			others.Command.Process.Signal(syscall.SIGUSR1)
		}
		if err != nil {
			return nil, err
		}
		taken := values{
			"alone":   alone.Latencies["roundTrip"].P99,
			"through": 100 * float64(beside.Endings["complete"]) / bystanders,
		}
		if trip, known := beside.Latencies["roundTrip"]; known && beside.Endings["complete"] > 0 {
			taken["beside"], taken["worst"] = trip.P99, trip.Max/1000
			taken["ratio"] = trip.P99 / taken["alone"]
		}
		report, err := others.report()
		if err != nil {
			return nil, err
		}
		taken["kept"] = 100 * float64(report.Endings[how.ending]) / float64(stalled)
		return taken, nil
	}
}

// waitUntilQuiet returns when the forwarder hardly uses the processor any more: all that can stand still does.
func (f *forward) waitUntilQuiet() {
	last := time.Duration(-1)
	for begun := time.Now(); time.Since(begun) < quietMax; time.Sleep(settleSpan) {
		now, err := f.cpu()
		if err != nil || last >= 0 && now-last < settleSpan/100 {
			return
		}
		last = now
	}
}

// standing has many connections stop at the same time, and looks at the most memory that this has taken.
func standing(count int, how standstill) procedure {
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, how.remote)
		if err != nil {
			return nil, err
		}
		defer f.end()
		report, err := b.try(standMax, how.command, f.port, append([]any{"--connections", count}, how.flags...)...)
		if err != nil {
			return nil, err
		}
		peak, err := f.Kibibytes("VmHWM")
		if err != nil {
			return nil, err
		}
		return values{
			"peak": peak / 1024, "kept": 100 * float64(report.Endings[how.ending]) / float64(count),
		}, nil
	}
}

// farBusy has 64 connections upload through a server that is far away, with others beside them that stand still.
func farBusy(stalled, total int) procedure {
	const busy = 64
	return func(b *bench, s subject) (values, error) {
		f, err := b.forward(s, 7003, 7007)
		if err != nil {
			return nil, err
		}
		defer f.end()
		if stalled > 0 {
			how := podsThatNeverRead(loadMax)
			others, err := start(b.client, loadArguments(how.command, f.ports[how.remote],
				append([]any{"--connections", stalled, "--timeout", standMax}, how.flags...)...)...)
			if err != nil {
				return nil, err
			}
			defer others.Command.Process.Kill()
			time.Sleep(time.Second)
		}
		report, err := b.try(standMax/2, "counted-sink", f.port, "--connections", busy, "--bytes", total/busy, "--chunk", 32*kibibyte)
		if err != nil {
			return nil, err
		}
		if err := report.check(); err != nil {
			return nil, err
		}
		return values{"rate": report.MiBPerSecond}, nil
	}
}

// isolation are the experiments of keeping connections apart; the yardstick shows what happens without acknowledgements.
func isolation(a amounts, add func(place, id string, sample procedure, subjects ...string)) {
	const each = 8 * kibibyte * kibibyte
	subjects := []string{"ffwd", "before"}
	if a.isolatesAll {
		subjects = append(subjects, "kubectl")
	}
	for _, stalled := range a.stalled {
		id := fmt.Sprintf("%d", stalled)
		add(aes128, "apart-down-"+id, apart(stalled, a.bystanderTrips, clientsThatStop(each, standSpan), false), subjects...)
		if stalled <= 8 {
			others := subjects
			if a.isolatesAll {
				others = append([]string{"yardstick"}, subjects...)
			}
			add(goPeer, "apart-up-"+id, apart(stalled, a.bystanderTrips, podsThatNeverRead(standSpan), false), others...)
		}
	}
	if a.isolatesAll {
		add(aes128, "apart-down-early", apart(8, a.bystanderTrips*2, clientsThatStop(each, standSpan), true), subjects...)
		add(goPeer, "apart-up-early", apart(8, a.bystanderTrips*2, podsThatNeverRead(standSpan), true), subjects...)
	}
	add(goFarAway, "far-busy", farBusy(0, a.transferBytes))
	add(goFarAway, "far-busy-brief", farBusy(0, a.transferBytes/8))
	add(goFarAway, "far-busy-beside", farBusy(1, a.transferBytes), subjects...)
	add(aes128, "standing-clients", standing(a.standing, clientsThatStop(2*kibibyte*kibibyte, standingSpan)), subjects...)
	add(aes128, "standing-pods", standing(a.standing, podsThatNeverRead(standingSpan)), subjects...)
}
