#lang racket/base
;; The sum of bench/servlets/sum2.ts on Racket's own web server, as serve/servlet sets it up. Prints its address.
;; Its pages are response/full, which sends them with a Content-Length in one write: response/xexpr would be chunked,
;; and slower. Its manager is the default one but for the threshold: with that, sessions would expire while they are
;; counted, since it looks at the memory of the whole process.
(require net/url
         web-server/http
         web-server/managers/lru
         web-server/servlet
         web-server/servlet-env)

(define (start request)
  (if (equal? (url-query (request-uri request)) '((memory . #f)))
      (page (number->string (memory-use)))
      (let* ([m (get-number "First number:")]
             [n (get-number "Second number:")])
        (page (format "<p>The sum is ~a.</p>" (+ m n))))))

(define (get-number label)
  (define reply
    (send/suspend
     (lambda (k-url)
       (page (string-append "<form action=\"" k-url "\" method=\"get\"><label>" label
                            " <input name=\"number\"></label><input type=\"submit\"></form>")))))
  (string->number (bytes->string/utf-8 (binding:form-value (bindings-assq #"number" (request-bindings/raw reply))))))

(define (page body)
  (response/full 200 #"OK" (current-seconds) #"text/html; charset=utf-8" '()
                 (list (string->bytes/utf-8
                        (string-append "<!doctype html><html><head><title>Sum</title></head><body>" body "</body></html>")))))

;; Bytes in use after a collection.
(define (memory-use)
  (collect-garbage)
  (collect-garbage)
  (current-memory-use))

(serve/servlet start #:port 0 #:listen-ip "127.0.0.1" #:servlet-regexp #rx"" #:servlet-path "/sum2"
               #:manager (create-LRU-manager (lambda (request) (page "expired")) 5 600 (lambda () #f) #:inform-p void #:initial-count 24)
               #:launch-browser? #f #:quit? #f #:banner? #t)
