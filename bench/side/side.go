// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

var counter int64

func tick() error {
	atomic.AddInt64(&counter, 1)
	return nil
}

func check(want int64) {
	if n := atomic.SwapInt64(&counter, 0); n != want {
		fmt.Fprintln(os.Stderr, n, "tasks ran, not", want)
		os.Exit(1)
	}
}

func measure(reps int, f func()) float64 {
	start := time.Now()
	for i := 0; i < reps; i++ {
		f()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(reps)
}

func groups(parent context.Context, n, reps int) float64 {
	t := measure(reps, func() {
		g, _ := errgroup.WithContext(parent)
		for i := 0; i < n; i++ {
			g.Go(tick)
		}
		if g.Wait() != nil {
			panic("failed")
		}
	})
	check(int64(n) * int64(reps))
	return t
}

func smallGroups(n, reps int) float64 {
	return groups(context.Background(), n, reps)
}

func withContext(n, reps int) float64 {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	return groups(parent, n, reps)
}

func withDeadline(n, reps int) float64 {
	t := measure(reps, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		g, _ := errgroup.WithContext(ctx)
		for i := 0; i < n; i++ {
			g.Go(tick)
		}
		if g.Wait() != nil {
			panic("failed")
		}
		cancel()
	})
	check(int64(n) * int64(reps))
	return t
}

func stream(limit, reps int) float64 {
	const tasks = 200000
	t := measure(reps, func() {
		g, _ := errgroup.WithContext(context.Background())
		g.SetLimit(limit)
		for i := 0; i < tasks; i++ {
			g.Go(tick)
		}
		if g.Wait() != nil {
			panic("failed")
		}
	})
	check(int64(tasks) * int64(reps))
	return t / tasks
}

func beBusy() error {
	for end := time.Now().Add(20 * time.Microsecond); time.Now().Before(end); {
	}
	return tick()
}

// longestGo does as longest_go in errgroup.cpp, with goroutines for threads.
func longestGo(limit int) float64 {
	const callers, tasks = 8, 100
	g, _ := errgroup.WithContext(context.Background())
	g.SetLimit(limit)
	var all, threads sync.WaitGroup
	all.Add(callers + 1)
	threads.Add(callers + 1)
	unfinished := int64(callers)
	var longest [callers]time.Duration
	hostileTasks := 0
	go func() {
		defer threads.Done()
		all.Done()
		all.Wait()
		end := time.Now().Add(2 * time.Second)
		for ; atomic.LoadInt64(&unfinished) != 0 && time.Now().Before(end); hostileTasks++ {
			g.Go(tick)
		}
	}()
	for c := range longest {
		go func(longest *time.Duration) {
			defer threads.Done()
			all.Done()
			all.Wait()
			for i := 0; i < tasks; i++ {
				start := time.Now()
				g.Go(beBusy)
				if t := time.Since(start); t > *longest {
					*longest = t
				}
			}
			atomic.AddInt64(&unfinished, -1)
		}(&longest[c])
	}
	threads.Wait()
	if g.Wait() != nil {
		panic("failed")
	}
	check(int64(callers*tasks + hostileTasks))
	most := time.Duration(0)
	for _, t := range longest {
		if t > most {
			most = t
		}
	}
	return float64(most.Nanoseconds())
}

func fair(limit, reps int) float64 {
	total := 0.0
	for r := 0; r < reps; r++ {
		total += longestGo(limit)
	}
	return total / float64(reps)
}

func failFast(n, reps int) float64 {
	total := 0.0
	failure := errors.New("failure")
	for r := 0; r < reps; r++ {
		g, ctx := errgroup.WithContext(context.Background())
		var all sync.WaitGroup
		all.Add(n)
		for i := 0; i < n; i++ {
			g.Go(func() error {
				all.Done()
				<-ctx.Done()
				return nil
			})
		}
		fail := make(chan struct{})
		var start time.Time
		g.Go(func() error {
			<-fail
			start = time.Now()
			return failure
		})
		all.Wait()
		time.Sleep(5 * time.Millisecond)
		close(fail)
		if g.Wait() == nil {
			panic("not failed")
		}
		total += float64(time.Since(start).Nanoseconds())
	}
	return total / float64(reps)
}

func lateness(_, reps int) float64 {
	late := make([]float64, 0, reps)
	for r := 0; r < reps; r++ {
		when := time.Now().Add(5 * time.Millisecond)
		ctx, cancel := context.WithDeadline(context.Background(), when)
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			<-ctx.Done()
			late = append(late, float64(time.Since(when).Nanoseconds()))
			return nil
		})
		g.Wait()
		cancel()
	}
	sort.Float64s(late)
	return late[len(late)/2]
}

// A meeting is what side::meeting is in tasks.hpp.
type meeting struct {
	left       int64
	met        sync.WaitGroup
	start, end time.Time
}

func newMeeting(n int) *meeting {
	m := &meeting{left: int64(n), start: time.Now()}
	m.met.Add(n)
	return m
}

func (m *meeting) arrive() error {
	tick()
	if atomic.AddInt64(&m.left, -1) == 0 {
		m.end = time.Now()
	}
	m.met.Done()
	m.met.Wait()
	return nil
}

func (m *meeting) elapsed() float64 {
	return float64(m.end.Sub(m.start).Nanoseconds())
}

// runGroup runs n tasks; task(i) returns the one of index i.
func runGroup(n int, task func(i int) func() error) {
	g, _ := errgroup.WithContext(context.Background())
	for i := 0; i < n; i++ {
		g.Go(task(i))
	}
	if g.Wait() != nil {
		panic("failed")
	}
}

func meet(n int) float64 {
	m := newMeeting(n)
	runGroup(n, func(int) func() error { return m.arrive })
	return m.elapsed()
}

func startTasks(n, reps int) float64 {
	total := 0.0
	for r := 0; r < reps; r++ {
		total += meet(n)
	}
	check(int64(n) * int64(reps))
	return total / float64(reps)
}

func startRested(n, reps int) float64 {
	total := 0.0
	for i := 0; i < 8*reps; i++ {
		time.Sleep(500 * time.Microsecond)
		total += meet(n)
	}
	check(int64(8 * n * reps))
	return total / float64(8*reps)
}

func sleepFor(d time.Duration) func() error {
	return func() error {
		time.Sleep(d)
		return tick()
	}
}

func gather(d time.Duration) func(n, reps int) float64 {
	return func(n, reps int) float64 {
		t := measure(reps, func() {
			runGroup(n, func(int) func() error { return sleepFor(d) })
		})
		check(int64(n) * int64(reps))
		return t
	}
}

func mixed(n, reps int) float64 {
	t := measure(reps, func() {
		runGroup(n, func(i int) func() error {
			if i%2 == 0 {
				return sleepFor(2 * time.Millisecond)
			}
			return tick
		})
	})
	check(int64(n) * int64(reps))
	return t
}

func multiply(times int) bool {
	x := uint64(1)
	for ; times != 0; times-- {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x != 0
}

// multiplications returns how many of them take a microsecond on a core of their own.
func multiplications() float64 {
	const times = 20000
	least := math.Inf(1)
	for i := 0; i < 200; i++ {
		least = math.Min(least, measure(1, func() {
			if !multiply(times) {
				panic("not multiplied")
			}
		}))
	}
	return 1e3 * times / least
}

var timesPerMicrosecond = multiplications()

func compute(microseconds float64) func(n, reps int) float64 {
	return func(n, reps int) float64 {
		times := int(microseconds * timesPerMicrosecond)
		t := measure(reps, func() {
			runGroup(n, func(int) func() error {
				return func() error {
					if multiply(times) {
						tick()
					}
					return nil
				}
			})
		})
		check(int64(n) * int64(reps))
		return t
	}
}

func changed(n, reps int) float64 {
	const sleeping, tiny = 20, 200
	total := 0.0
	for r := 0; r < reps; r++ {
		for i := 0; i < sleeping; i++ {
			runGroup(n, func(int) func() error { return sleepFor(200 * time.Microsecond) })
		}
		total += measure(tiny, func() {
			runGroup(n, func(int) func() error { return tick })
		})
	}
	check(int64((sleeping + tiny) * n * reps))
	return total / float64(reps)
}

func late(n, reps int) float64 {
	const times, groups, tiny = 10, 50, 100
	total := 0.0
	for r := 0; r < reps; r++ {
		longest := 0.0
		for i := 0; i < times; i++ {
			for j := 0; j < groups; j++ {
				runGroup(tiny, func(int) func() error { return tick })
			}
			longest = math.Max(longest, meet(n))
		}
		total += longest
	}
	check(int64((groups*tiny + n) * times * reps))
	return total / float64(reps)
}

func main() {
	works := map[string]func(n, reps int) float64{
		"group": smallGroups, "context": withContext, "deadline": withDeadline, "stream": stream,
		"fair": fair, "sleep": failFast, "wait": failFast, "token": failFast, "lateness": lateness,
		"start": startTasks, "rested": startRested, "cold": startTasks, "mixed": mixed, "changed": changed, "late": late,
		"gather-200us": gather(200 * time.Microsecond), "gather-2ms": gather(2 * time.Millisecond),
		"compute-1us": compute(1), "compute-10us": compute(10), "compute-100us": compute(100),
		"compute-1ms": compute(1000),
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var name string
		var n, reps int
		if _, err := fmt.Fscan(in, &name, &n, &reps); err != nil {
			return
		}
		if f, ok := works[name]; ok {
			fmt.Println(f(n, reps))
		} else {
			fmt.Println("none")
		}
	}
}
