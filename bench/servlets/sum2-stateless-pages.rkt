#lang web-server
;; The pages of bench/servlets/sum2-stateless.ts, on Racket's stateless servlets: each one's continuation is in its URL, unsigned.
(provide interface-version start)
(define interface-version 'stateless)

(define (start request)
  (let* ([m (get-number "First number:")]
         [n (get-number "Second number:")])
    (page (format "<p>The sum is ~a.</p>" (+ m n)))))

(define (get-number label)
  (let ([reply
         (send/suspend
          (lambda (k-url)
            (page (string-append "<form action=\"" k-url "\" method=\"get\"><label>" label
                                 " <input name=\"number\"></label><input type=\"submit\"></form>"))))])
    (string->number (bytes->string/utf-8 (binding:form-value (bindings-assq #"number" (request-bindings/raw reply)))))))

(define (page body)
  (response/full 200 #"OK" 0 #"text/html; charset=utf-8" '()
                 (list (string->bytes/utf-8
                        (string-append "<!doctype html><html><head><title>Sum</title></head><body>" body "</body></html>")))))
