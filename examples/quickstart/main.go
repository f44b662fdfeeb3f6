// Command quickstart has two people ask for the same work, which is then done once. The task is kept in the file gtf.db.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/big"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Primes is a type of task: its name, what goes in, what comes out, and that equal keys are the same work.
var Primes = gtf.Define[int64, int]("primes.count", &gtf.DefineOpts[int64]{
	Abortable: true,
	Key:       func(limit int64) string { return fmt.Sprint(limit) },
	Scope:     gtf.ScopeShared,
})

func countPrimes(ctx context.Context, limit int64) (primes int, err error) {
	for n := int64(2); n < limit && ctx.Err() == nil; n++ {
		if big.NewInt(n).ProbablyPrime(0) {
			primes++
		}
		gtf.FromContext(ctx).Progress(int(n+1), int(limit))
	}
	return primes, context.Cause(ctx)
}

func main() {
	ctx := context.Background()
	store := must(sqlitestore.Open(ctx, "gtf.db", nil))
	client := must(gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Primes.Handler(countPrimes)}}))
	ada := gtf.WithPrincipal(ctx, gtf.Principal{ID: "ada"})
	grace := gtf.WithPrincipal(ctx, gtf.Principal{ID: "grace"})

	first := must(Primes.Schedule(ada, client, 200_000, nil))
	second := must(Primes.Schedule(grace, client, 200_000, nil))
	fmt.Println("Grace joined Ada's task:", second.Joined && second.ID == first.ID)
	must(0, client.Start(ctx)) // from here on this process is a worker
	fmt.Println("primes below 200,000:", must(second.Wait(ctx)))
	task := must(client.Get(grace, second.ID))
	fmt.Printf("%s, %s, for %d people\n", task.Status, task.Progress, len(task.Subscribers))
	must(0, errors.Join(client.Stop(ctx), store.Close()))
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
