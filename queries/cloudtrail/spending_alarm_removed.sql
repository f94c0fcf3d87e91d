-- title           = "Budget or an alarm of costs was removed by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.006", "attack.impact", "attack.t1496"]
-- remedy          = "Ask whoever it was; put the budget or the alarm back, and look at what was launched since: who spends on another's account does not want the owner told."
-- false_positives = "Budgets of projects that are over."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'budgetName', requestParameters ->> 'subscriptionArn', requestParameters ->> 'monitorArn') AS resource,
       sourceIPAddress,
       userAgent
FROM cloudtrail
WHERE eventSource IN ('budgets.amazonaws.com', 'ce.amazonaws.com')
  AND eventName IN ('DeleteBudget', 'DeleteBudgetAction', 'DeleteNotification', 'DeleteSubscriber', 'DeleteAnomalyMonitor', 'DeleteAnomalySubscription')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
