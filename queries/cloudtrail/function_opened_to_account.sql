-- title           = "Lambda function was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1098", "attack.privilege_escalation", "attack.t1648"]
-- remedy          = "Remove the statement with RemovePermission unless its owner names the caller; look at the function's role: that is what the caller now borrows."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       requestParameters ->> 'principal' AS principal,
       requestParameters ->> 'action' AS action,
       requestParameters ->> 'functionUrlAuthType' AS url_auth,
       coalesce(requestParameters ->> 'sourceArn', requestParameters ->> 'sourceAccount') AS source,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'functionName') AS resource
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'AddPermission%'
  AND errorCode IS NULL
  AND (regexp_like(without_own(requestParameters ->> 'principal', account), '(^|::)[0-9]{12}')
       OR without_own(requestParameters ->> 'sourceAccount', account) <> ''
       OR regexp_like(without_own(requestParameters ->> 'sourceArn', account), ':[0-9]{12}:'))
