#lang racket/base
;; What Racket's custodians are charged, and how far over their limit they get: beside bench/accounting.
;;   charge KIND MB      prints the bytes that a custodian is charged for, whose thread holds MB
;;   kill KIND CAP       prints how many MB over CAP a thread got, and for how many ms it lived there
;;   two KIND MB MB      prints the bytes that two are charged for, which have taken them at the same time
(require racket/flonum)

(define mb 1048576)
(define step (/ mb 2))

;; Takes so many bytes, touches them, and returns what holds them.
(define (take kind bytes)
  (case kind
    [("heap") (for/list ([_ (in-range (quotient bytes 65536))]) (make-flvector 8190 1.0))]
    [("buffers") (make-bytes bytes 1)]
    ;; Four bytes a character.
    [("strings") (make-string (quotient bytes 4) #\x)]
    [("mixture") (take (vector-ref #("heap" "buffers" "strings") (random 3)) bytes)]))

;; Accounts are kept from when they are first asked for, and are as old as the last major collection.
(define (charged custodian)
  (current-memory-use custodian)
  (collect-garbage)
  (collect-garbage)
  (current-memory-use custodian))

;; A thread of a custodian of its own that takes `size` MB and holds them; `ready` is posted when it has.
;; A thread that waits for what can't come would be collected, with all that it holds: it waits for `let-go`.
(define let-go (make-semaphore))
(define (holder kind size ready)
  (define custodian (make-custodian))
  (parameterize ([current-custodian custodian])
    (thread
     (lambda ()
       (define hoard
         (for/list ([_ (in-range (* size 2))])
           (begin0 (take kind step) (sleep 0))))
       (semaphore-post ready)
       (semaphore-wait let-go)
       (display (length hoard)))))
  custodian)

(define (held-by . holders)
  (define ready (make-semaphore))
  (define custodians (for/list ([each (in-list holders)]) (holder (car each) (cdr each) ready)))
  (for ([_ (in-list custodians)]) (semaphore-wait ready))
  (map charged custodians))

(define (kill kind cap)
  (define custodian (make-custodian))
  (define taken 0)
  (define over-at #f)
  (define now current-inexact-milliseconds)
  (custodian-limit-memory custodian (* cap mb) custodian)
  (define idle (charged custodian))
  (define growing
    (parameterize ([current-custodian custodian])
      (thread
       (lambda ()
         (let loop ([hoard '()])
           (define more (cons (take kind step) hoard))
           (set! taken (+ taken step))
           (when (and (not over-at) (> (+ idle taken) (* cap mb))) (set! over-at (now)))
           (loop more))))))
  (sync (thread-dead-evt growing))
  (printf "~a ~a\n" (exact->inexact (- (/ (+ idle taken) mb) cap)) (if over-at (- (now) over-at) 0.0)))

(define args (vector->list (current-command-line-arguments)))
(define kind (cadr args))
(define sizes (map string->number (cddr args)))
(define (tell numbers) (for ([each (in-list numbers)]) (printf "~a " each)))
(case (car args)
  [("charge") (let ([none (car (held-by (cons kind 0)))]) (tell (list (- (car (held-by (cons kind (car sizes)))) none))))]
  [("kill") (kill kind (car sizes))]
  [("two") (tell (apply held-by (map (lambda (size) (cons kind size)) sizes)))])
(newline)
;; Not before: what nobody could post any more nobody would be kept waiting for.
(semaphore-post let-go)
