-- title           = "Lambda function was opened to everybody"
-- severity        = "high"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1098", "attack.privilege_escalation", "attack.t1648"]
-- remedy          = "Remove the statement with RemovePermission unless its owner names the caller; look at the function's role: that is what the caller now borrows."
-- false_positives = "Functions with a public URL on purpose."
SELECT eventTime,
       requestParameters ->> 'principal' AS principal,
       requestParameters ->> 'action' AS action,
       requestParameters ->> 'functionUrlAuthType' AS url_auth,
       coalesce(requestParameters ->> 'sourceArn', requestParameters ->> 'sourceAccount') AS source,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'functionName') AS resource,
       -- what a pipeline is made to do was read by somebody before; with a URL the console opens it so, and whoever makes one; function_url_public tells it too
       CASE WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com' AND requestParameters ->> 'functionUrlAuthType' = 'NONE' THEN 'low' -- function_url_public tells it
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool())
                 OR (sessionCredentialFromConsole OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%')
                    AND requestParameters ->> 'functionUrlAuthType' = 'NONE' THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'AddPermission%'
  AND errorCode IS NULL
  AND requestParameters ->> 'principal' = '*'
  AND coalesce(requestParameters ->> 'principalOrgID', requestParameters ->> 'sourceArn', requestParameters ->> 'sourceAccount') IS NULL
