package main

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ffwd/traffic"
)

// healMax is how long a forward may take until it carries again after a fault: the silence after which the network counts
// as gone, a back-off of 10 s, and as much again on a machine with other work.
const healMax = 60 * time.Second

// world is a server, several ffwds that forward to it, clients that load them, and faults.
//
// Theory of operation. Clients run all the time. Faults come one after another, drawn from a bag that the seed has
// shuffled. After each one every forward is tried until it carries again; the time is kept. Then there is a calm: what
// begins and ends in one calm has nothing to be reset for. What a connection comes to is written down under the behaviour
// of its client and under the faults that it has met.
type world struct {
	name    string
	seed    uint64
	random  *rand.Rand
	server  *server
	plans   []plan
	faults  []fault
	say     func(format string, arguments ...any)
	command []string

	forwards []*forward
	// epoch is even in a calm.
	epoch atomic.Int64
	// current is the fault that goes on, or went on last.
	current atomic.Value
	ending  atomic.Bool
	clients sync.WaitGroup
	seeds   atomic.Uint64
	result  worldResult
	// pods are those of MiniCluster's deployment that are there.
	pods []string
}

// fault is something that goes wrong, and is over when run returns.
type fault struct {
	name string
	run  func(w *world) error
	// isLong: it takes longer than a short run has.
	isLong bool
}

// short are the faults that a short run has the time for.
func short(faults []fault) (list []fault) {
	for _, f := range faults {
		if !f.isLong {
			list = append(list, f)
		}
	}
	return list
}

func newWorld(name string, seed uint64, s *server, plans []plan, faults []fault, command []string, say func(string, ...any)) *world {
	w := &world{
		name: name, seed: seed, random: rand.New(rand.NewSource(int64(traffic.Mix(seed)))), server: s,
		plans: plans, faults: faults, say: say, command: command,
	}
	w.current.Store("")
	w.result = worldResult{Name: name, Faults: map[string]*faultResult{}}
	return w
}

// violate writes down what must never be.
func (w *world) violate(format string, arguments ...any) {
	text := w.name + ": " + fmt.Sprintf(format, arguments...)
	w.say("VIOLATION %s", text)
	w.result.Violations = append(w.result.Violations, text)
}

// run loads, breaks and heals until a time; then everything has to end. An error is one of the soak itself.
func (w *world) run(until time.Time) error {
	defer func() {
		for _, f := range w.forwards {
			f.end(syscall.SIGKILL)
		}
	}()
	for _, p := range w.plans {
		f, err := startForward(w.server, p, w.command...)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", w.name, p.name, err)
		}
		w.forwards = append(w.forwards, f)
	}
	for _, f := range w.forwards {
		if err := f.try(1000, w.nextSeed(), healMax, newTally()); err != nil {
			return fmt.Errorf("%s: %s, before any fault: %w", w.name, f.plan.name, err)
		}
		f.base = f.descriptors()
	}
	for _, f := range w.forwards {
		w.load(f)
	}
	err := w.breakAndHeal(until)
	w.finish()
	return err
}

func (w *world) nextSeed() uint64 { return traffic.Mix(w.seed) + w.seeds.Add(1) }

// breakAndHeal does one fault after another.
func (w *world) breakAndHeal(until time.Time) error {
	if len(w.faults) == 0 {
		return fmt.Errorf("%s: no fault has such a name", w.name)
	}
	var bag []int
	for time.Now().Before(until) {
		if len(bag) == 0 {
			bag = w.random.Perm(len(w.faults))
		}
		f := w.faults[bag[0]]
		bag = bag[1:]
		w.current.Store(f.name)
		w.epoch.Add(1)
		begun := time.Now()
		if err := f.run(w); err != nil {
			return fmt.Errorf("%s: the fault %q: %w", w.name, f.name, err)
		}
		took := time.Since(begun)
		slowest, who, isHealed := w.heal()
		result := w.result.Faults[f.name]
		if result == nil {
			result = &faultResult{}
			w.result.Faults[f.name] = result
		}
		result.Count++
		result.HealSeconds = append(result.HealSeconds, slowest.Seconds())
		w.say("%s: %s for %.1f s, healed after %.2f s (%s)", w.name, f.name, took.Seconds(), slowest.Seconds(), who)
		if !isHealed {
			w.violate("%s: no echo within %v after %q", who, healMax, f.name)
		}
		w.epoch.Add(1)
		time.Sleep(time.Duration(300+w.random.Intn(1500)) * time.Millisecond)
	}
	return nil
}

// heal tries every forward until it carries; it returns how long the slowest took, and which one that was.
func (w *world) heal() (slowest time.Duration, who string, isHealed bool) {
	var wait sync.WaitGroup
	begun := time.Now()
	took := make([]time.Duration, len(w.forwards))
	for i, f := range w.forwards {
		wait.Add(1)
		go func(i int, f *forward) {
			defer wait.Done()
			for {
				left := healMax - time.Since(begun)
				if f.HasEnded() {
					return // which is told in the end
				}
				if left <= 0 {
					took[i] = healMax
					return
				}
				err := f.try(1000, w.nextSeed(), left, newTally())
				if err == nil {
					took[i] = time.Since(begun)
					return
				}
				if ending := classify(err); ending == wrong || ending == truncated || ending == refused {
					f.tally.ended("canary", "after "+w.fault(), ending)
					f.tally.complain("the canary after %q: %s: %v", w.fault(), ending, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}(i, f)
	}
	wait.Wait()
	for i, f := range w.forwards {
		if took[i] >= slowest {
			slowest, who = took[i], f.plan.name
		}
	}
	return slowest, who, slowest < healMax
}

func (w *world) fault() string { return w.current.Load().(string) }

// load keeps clients on a forward.
func (w *world) load(f *forward) {
	var drawn []behaviour
	for _, b := range behaviours {
		if _, known := f.locals[b.port]; known && !(b.passesEnds && f.holdsEnds) {
			for i := 0; i < b.weight; i++ {
				drawn = append(drawn, b)
			}
		}
	}
	for number := 0; number < f.plan.clients; number++ {
		w.clients.Add(1)
		random := rand.New(rand.NewSource(int64(w.nextSeed())))
		go func() {
			defer w.clients.Done()
			for !w.ending.Load() && !f.HasEnded() {
				b := drawn[random.Intn(len(drawn))]
				w.one(f, b, drawSize(random, b.sizeMost))
				time.Sleep(time.Duration(random.Intn(300)) * time.Millisecond)
			}
		}()
	}
}

// one runs a behaviour on one connection and writes down what it comes to.
func (w *world) one(f *forward, b behaviour, size int64) {
	if f.HasEnded() {
		return // which is told in the end
	}
	epoch := w.epoch.Load()
	f.tally.begun.Add(1)
	seed := w.nextSeed()
	c, err := connect(f.locals[b.port], seed, hangMax, f.tally)
	if err == nil {
		err = b.run(c, size)
		c.Close()
	}
	ending := classify(err)
	now := w.epoch.Load()
	met := "calm"
	if now != epoch || epoch%2 == 1 {
		met = w.fault()
	}
	f.tally.ended(b.name, met, ending)
	switch {
	case isLie(ending):
		f.tally.complain("%s of %d bytes, met %s: %s: %v", b.name, size, met, ending, err)
		w.say("%s: %s: %s of %d bytes, met %s: %s: %v", w.name, f.plan.name, b.name, size, met, ending, err)
	case ending == reset && met == "calm":
		f.tally.mutex.Lock()
		f.tally.unexplained++
		f.tally.mutex.Unlock()
		f.tally.complain("%s of %d bytes, in a calm after %s: %v", b.name, size, w.fault(), err)
		w.say("%s: %s: %s of %d bytes, in a calm after %s: %v", w.name, f.plan.name, b.name, size, w.fault(), err)
	}
}

// finish ends the load and looks at what is left of it.
func (w *world) finish() {
	w.ending.Store(true)
	over := make(chan struct{})
	go func() { w.clients.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(hangMax + 30*time.Second):
		w.violate("clients do not come to an end")
	}
	for _, f := range w.forwards {
		w.result.Forwards = append(w.result.Forwards, w.inspect(f))
	}
}

// inspect says what a forward has done, and what of it must not be.
func (w *world) inspect(f *forward) forwardResult {
	r := forwardResult{
		Name: f.plan.name, Command: f.Command.Args[1:], MemoryBoundMiB: f.memoryBoundMiB(), DescriptorsBase: f.base,
	}
	f.tally.snapshot(&r)
	if f.HasEnded() {
		w.violate("%s has ended with %s: %s", f.plan.name, f.exit(), f.Said.Last())
		r.Exit = f.exit()
		return r
	}
	var err error
	r.Summary, r.Descriptors, err = f.settled()
	if err != nil {
		w.violate("%s: %v", f.plan.name, err)
	}
	peak, _ := f.Kibibytes("VmHWM")
	resident, _ := f.Kibibytes("VmRSS")
	r.MemoryMiB, r.MemoryEndMiB = peak/1024, resident/1024
	if r.MemoryMiB > float64(r.MemoryBoundMiB) {
		w.violate("%s had %.0f MiB, more than %d", f.plan.name, r.MemoryMiB, r.MemoryBoundMiB)
	}
	for _, ending := range []string{wrong, truncated, hung, refused, failed} {
		if count := r.Endings[ending]; count > 0 {
			w.violate("%s: %d connections ended %s", f.plan.name, count, ending)
		}
	}
	if r.Unexplained > 0 {
		w.violate("%s: %d connections were reset without a fault", f.plan.name, r.Unexplained)
	}
	if r.Exit = f.end(syscall.SIGINT); r.Exit != "0" {
		w.violate("%s ends on SIGINT with %s: %s", f.plan.name, r.Exit, f.Said.Last())
	}
	return r
}
